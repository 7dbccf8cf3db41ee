import assert from 'node:assert/strict'
import type { InfoLister } from '../../capabilities/info-lister.js'
import { neverAborts } from '../../never-aborts.js'
import { cases } from '../case.js'
import { nearIds } from './data-store.js'
import { awkwardIds } from '../fixture/awkward-records.js'
import { noAbort } from '../fixture/gate.js'
import { manyRecords } from '../fixture/many-records.js'
import { nextOf, recordAt } from '../fixture/records.js'

/** The list of all records. */
export const infoListerCases = cases('infoLister', 'listing-records', {
  async 'ids yields nothing when there are no records'({ slots }) {
    assert.deepEqual(await idsIn(slots.infoLister), [])
    assert.deepEqual(await idsIn(slots.infoLister, 'a'), [])
  },

  async 'ids yields all ids in the order of their UTF-16 code units'({ slots, others }) {
    const ids = ['b', '9', '10', 'B', '_x', '-', 'ab', ...nearIds, ...awkwardIds]
    for (const id of ids) await slots.infoStore.create(recordAt(id), noAbort)
    // `sort` orders by UTF-16 code units.
    assert.deepEqual(await idsIn(slots.infoLister), ids.toSorted())
    assert.deepEqual(await idsIn(others.infoLister), ids.toSorted())
  },

  async 'ids yields only the ids after the given one, whether that exists or not'({ slots }) {
    for (const id of ['B', 'a', 'a.b', 'ab', 'c'])
      await slots.infoStore.create(recordAt(id), noAbort)
    assert.deepEqual(await idsIn(slots.infoLister, 'a'), ['a.b', 'ab', 'c'])
    assert.deepEqual(await idsIn(slots.infoLister, 'aa'), ['ab', 'c'])
    assert.deepEqual(await idsIn(slots.infoLister, 'A'), ['B', 'a', 'a.b', 'ab', 'c'])
    assert.deepEqual(await idsIn(slots.infoLister, 'c'), [])
  },

  async 'ids follows creations, updates and deletions'({ slots, others }) {
    for (const { infoStore } of [slots, others]) {
      for (const id of ['a', 'b']) await slots.infoStore.create(recordAt(id), noAbort)
      await infoStore.update(nextOf(recordAt('a')), noAbort)
      await infoStore.delete('b', noAbort)
      await infoStore.create(recordAt('c'), noAbort)
      for (const { infoLister } of [slots, others]) {
        assert.deepEqual(await idsIn(infoLister), ['a', 'c'])
      }
      for (const id of ['a', 'c']) await infoStore.delete(id, noAbort)
    }
  },

  async 'ids yields more ids than one page of any service'(fixture) {
    const ids: string[] = []
    // A dictionary has them in another order.
    for (const prefix of ['u', 'U', '_', '-', 'u.']) {
      ids.push(...(await manyRecords(fixture, prefix, 220)))
    }
    const sorted = ids.sort()
    for (const { infoLister } of [fixture.slots, fixture.others]) {
      assert.deepEqual(await idsIn(infoLister), sorted)
      assert.deepEqual(await idsIn(infoLister, sorted[49]!), sorted.slice(50))
    }
  },
})

async function idsIn(lister: InfoLister, after?: string): Promise<string[]> {
  const options = { signal: neverAborts, ...(after !== undefined && { after }) }
  const ids: string[] = []
  for await (const id of lister.ids(options)) ids.push(id)
  return ids
}
