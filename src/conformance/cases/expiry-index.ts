import assert from 'node:assert/strict'
import type { ExpiryIndex } from '../../capabilities/expiry-index.js'
import { cases } from '../case.js'
import { noAbort } from '../fixture/gate.js'
import { manyRecords } from '../fixture/many-records.js'
import { nextOf, recordAt } from '../fixture/records.js'

const now = Date.parse('2026-03-01T00:00:00.000Z')
const after = (milliseconds: number) => ({ expiresAt: new Date(now + milliseconds).toISOString() })

/** Expired records. */
export const expiryIndexCases = cases('expiryIndex', 'listing-records', {
  async 'expired yields nothing when there are no records'({ slots }) {
    assert.deepEqual(await expiredIn(slots.expiryIndex, now), [])
  },

  async 'expired yields an id from the millisecond of its expiresAt, and not earlier'(fixture) {
    const { infoStore } = fixture.slots
    await infoStore.create(recordAt('past', after(-86_400_000)), noAbort)
    await infoStore.create(recordAt('before', after(-1)), noAbort)
    await infoStore.create(recordAt('now', after(0)), noAbort)
    await infoStore.create(recordAt('after', after(1)), noAbort)
    await infoStore.create(recordAt('future', after(86_400_000)), noAbort)
    await infoStore.create(recordAt('far', { expiresAt: '9999-12-31T23:59:59.999Z' }), noAbort)
    await infoStore.create(recordAt('never'), noAbort)
    for (const { expiryIndex } of [fixture.slots, fixture.others]) {
      const ids = ['before', 'now', 'past']
      assert.deepEqual(await expiredIn(expiryIndex, now), ids)
      assert.deepEqual(await expiredIn(expiryIndex, now + 1), ['after', ...ids])
      assert.deepEqual(await expiredIn(expiryIndex, now - 2), ['past'])
    }
  },

  async 'expired yields ids of every state and protocol'({ slots }) {
    const at = '2026-01-02T03:04:05.678Z'
    const response = { status: 400, headers: {}, body: '' }
    const states = [
      { kind: 'open' },
      { kind: 'rejected', at, response },
      { kind: 'gone', at, cause: 'expired' },
    ] as const
    for (const state of states) {
      await slots.infoStore.create(recordAt(state.kind, { state, ...after(0) }), noAbort)
    }
    await slots.infoStore.create(recordAt('ietf', { protocol: 'ietf', ...after(0) }), noAbort)
    assert.deepEqual(await expiredIn(slots.expiryIndex, now), ['gone', 'ietf', 'open', 'rejected'])
  },

  async 'expired follows updates and deletions, including those of another instance'({
    slots,
    others,
  }) {
    const yields = async (ids: readonly string[]) => {
      for (const { expiryIndex } of [slots, others]) {
        assert.deepEqual(await expiredIn(expiryIndex, now), ids)
      }
    }
    for (const { infoStore } of [slots, others]) {
      const [cleared, set] = [recordAt('cleared'), recordAt('set')]
      const [later, sooner] = [recordAt('later', after(0)), recordAt('sooner', after(100))]
      const records = [{ ...cleared, ...after(0) }, set, later, sooner]
      for (const record of records) await slots.infoStore.create(record, noAbort)
      await yields(['cleared', 'later'])
      await infoStore.update(nextOf(cleared), noAbort)
      await infoStore.update(nextOf(set, after(0)), noAbort)
      await infoStore.update(nextOf(later, after(100)), noAbort)
      await infoStore.update(nextOf(sooner, after(0)), noAbort)
      await yields(['set', 'sooner'])
      for (const { id } of records) await infoStore.delete(id, noAbort)
      await yields([])
    }
  },

  async 'expired yields more ids than one page of any service, also of the same time'(fixture) {
    const sorted = (await manyRecords(fixture, 'u', 1100, after(0))).sort()
    for (const { expiryIndex } of [fixture.slots, fixture.others]) {
      assert.deepEqual(await expiredIn(expiryIndex, now), sorted)
    }
  },

  async 'expired continues when records are removed meanwhile'({ slots }) {
    const ids = Array.from({ length: 30 }, (_, i) => `u${i}`)
    for (const id of ids) await slots.infoStore.create(recordAt(id, after(0)), noAbort)
    const yielded: string[] = []
    for await (const id of slots.expiryIndex.expired(new Date(now), noAbort)) {
      yielded.push(id)
      await slots.infoStore.delete(id, noAbort)
    }
    assert.deepEqual(yielded.sort(), ids.sort())
    assert.deepEqual(await expiredIn(slots.expiryIndex, now), [])
  },
})

async function expiredIn(index: ExpiryIndex, time: number): Promise<string[]> {
  const ids: string[] = []
  for await (const id of index.expired(new Date(time), noAbort)) ids.push(id)
  assert.equal(new Set(ids).size, ids.length, 'An id is yielded once')
  return ids.sort()
}
