import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { awkwardIds, awkwardRecords } from '../fixture/awkward-records.js'
import { noAbort } from '../fixture/gate.js'
import { nextOf, recordAt } from '../fixture/records.js'

/** Records that a careless storage would change or mix up. */
export const recordContentCases = cases('infoStore', 'getting-records', {
  async 'get returns every text, key, size and time unchanged'({ slots, others }) {
    for (const record of awkwardRecords) {
      await slots.infoStore.create(record, noAbort)
      const plain = recordAt(`${record.id}-plain`)
      await slots.infoStore.create(plain, noAbort)
      const next = nextOf(plain, { ...record, id: plain.id })
      await others.infoStore.update(next, noAbort)
      await Promise.all(
        [slots, others].map(async ({ infoStore }) => {
          assert.deepEqual(await infoStore.get(record.id, noAbort), record, `After create`)
          assert.deepEqual(await infoStore.get(plain.id, noAbort), next, `After update`)
        }),
      )
    }
  },

  async 'get returns the record of every id that can be'({ slots, others }) {
    const records = awkwardIds.map((id, length) => recordAt(id, { length }))
    for (const { id } of records) assert.equal(await slots.infoStore.get(id, noAbort), undefined)
    for (const record of records) await slots.infoStore.create(record, noAbort)
    for (const record of records) {
      assert.deepEqual(await others.infoStore.get(record.id, noAbort), record)
      await others.infoStore.update(nextOf(record), noAbort)
    }
    for (const [i, record] of records.entries()) {
      await slots.infoStore.delete(record.id, noAbort)
      assert.equal(await others.infoStore.get(record.id, noAbort), undefined)
      const left = records.slice(i + 1)
      const found = await Promise.all(left.map(({ id }) => slots.infoStore.get(id, noAbort)))
      assert.deepEqual(
        found,
        left.map((other) => nextOf(other)),
      )
    }
  },

  async 'get returns what was stored, whatever the caller does with its record'(fixture) {
    const { slots, others } = fixture
    const parts: number[] = [1]
    const storage = { kind: 'conformance', at: {}, secret: { parts } }
    const record = recordAt('a', { storage })
    await slots.infoStore.create(record, noAbort)
    const stored = structuredClone(storage)
    parts.push(2)
    assert.deepEqual((await slots.infoStore.get('a', noAbort))?.storage, stored)
    assert.deepEqual((await others.infoStore.get('a', noAbort))?.storage, stored)
    await slots.infoStore.update(nextOf(record), noAbort)
    stored.secret.parts.push(2)
    parts.push(3)
    assert.deepEqual((await slots.infoStore.get('a', noAbort))?.storage, stored)
    assert.deepEqual((await others.infoStore.get('a', noAbort))?.storage, stored)
  },
})
