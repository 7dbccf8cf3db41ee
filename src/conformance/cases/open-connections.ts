import assert from 'node:assert/strict'
import type { Case } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { noAbort, started } from '../fixture/gate.js'
import { letGo } from '../fixture/locks.js'
import { manyRecords } from '../fixture/many-records.js'
import { leavesNothingOpen } from '../fixture/open-handles.js'
import { nextOf, recordAt } from '../fixture/records.js'
import { rejects } from '../fixture/rejects.js'
import type { Slots } from '../slots.js'
import { open } from './open-handles.js'

const reason = new Error('Nobody waits any more')

/** Connections of records, lists and locks. */
export const openConnectionCases: readonly Case[] = [
  ...open('infoStore', {
    'calls for records leave nothing open': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const { infoStore } = fixture.slots
        const record = recordAt(fixture.newId())
        const aborted = { signal: AbortSignal.abort(reason) }
        await infoStore.get(record.id, noAbort)
        await rejects(() => infoStore.create(record, aborted), reason, 'create')
        await infoStore.create(record, noAbort)
        await rejects(() => infoStore.create(record, noAbort), 'ERR_ID_TAKEN', 'create')
        await infoStore.update(nextOf(record), noAbort)
        const again = () => infoStore.update(nextOf(record), noAbort)
        await rejects(again, 'ERR_INFO_CONFLICT', 'update')
        await infoStore.get(record.id, noAbort)
        await infoStore.delete(record.id, noAbort)
        await infoStore.delete(record.id, noAbort)
      }),
  }),

  ...open('expiryIndex', {
    'expired leaves nothing open, also when its caller stops early': (fixture) => {
      const now = new Date('2026-03-01T00:00:00.000Z')
      return listsLeaveNothingOpen(fixture, ({ expiryIndex }) => expiryIndex.expired(now, noAbort))
    },
  }),

  ...open('infoLister', {
    'ids leaves nothing open, also when its caller stops early': (fixture) =>
      listsLeaveNothingOpen(fixture, ({ infoLister }) => infoLister.ids(noAbort)),
  }),

  ...open('locker', {
    'locks leave nothing open, also when a caller gives up': (fixture) =>
      leavesNothingOpen(fixture, async () => {
        const [id, { locker }] = [fixture.newId(), fixture.slots]
        const aborted = { signal: AbortSignal.abort(reason) }
        await rejects(() => fixture.acquire(id, aborted), reason, 'acquire')
        const lock = await fixture.acquire(id, { requestRelease: () => false })
        const controller = new AbortController()
        const waiting = started(fixture.acquire(id, { signal: controller.signal }))
        await locker.settle(id, noAbort)
        controller.abort(reason)
        await letGo(lock)
        // On a busy machine, the lock may be lost and taken before.
        await waiting.then(letGo, (error: unknown) => assert.equal(error, reason))
        await locker.settle(id, noAbort)
      }),
  }),
]

/** Lists records, completely and until the first one. */
async function listsLeaveNothingOpen(
  fixture: Fixture,
  list: (slots: Slots) => AsyncIterable<string>,
): Promise<void> {
  await manyRecords(fixture, 'u', 120, { expiresAt: '2026-01-02T03:04:05.678Z' })
  await leavesNothingOpen(fixture, async () => {
    for (const atMost of [Infinity, 1]) {
      let count = 0
      for await (const _ of list(fixture.slots)) if (++count >= atMost) break
    }
  })
}
