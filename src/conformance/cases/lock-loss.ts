import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lock } from '../../capabilities/locker.js'
import { cases } from '../case.js'
import type { StorageFault } from '../conformance-options.js'
import { Gate, started, turns } from '../fixture/gate.js'
import type { Fixture } from '../fixture/fixture.js'
import {
  letGo,
  limitOf,
  lose,
  outlast,
  proveAlone,
  stillHeld,
  taken,
  undisturbed,
  undisturbedIf,
} from '../fixture/locks.js'
import { succeeds } from '../fixture/outage.js'

const clause = 'writing-a-locker'

/** Locks that outlast their lease, or whose holder and callers lose the storage for a while. */
export const lockLossCases = [
  ...cases(
    'locker',
    clause,
    {
      async 'a lock stays held for several leases, and nobody else gets it'(fixture) {
        await undisturbed(fixture, async (id) => {
          const lock = await taken(fixture, id)
          const { locker } = fixture.others
          const waiting = started(fixture.acquire(id, {}, locker)).then((next) => {
            assert.ok(!lock.held(), 'A lock is held while another caller gets it')
            return next
          })
          await Promise.race([started(waiting), delay(3 * fixture.lease)])
          stillHeld(lock)
          assert.ok(!lock.lost.aborted, 'A lock that is held is not lost')
          await letGo(lock)
          await letGo(await fixture.soon(waiting, 'the lock that was released', limitOf(fixture)))
        })
      },
    },
    'lease',
  ),

  ...cases(
    'locker',
    clause,
    {
      async 'a holder that cannot reach the storage loses the lock before another one gets it'(
        fixture,
      ) {
        await fixture.eachFault(fixture.everyFault, async (fault) => {
          const id = fixture.newId()
          const lock = await taken(fixture, id)
          await outlast(fixture, fault)
          await proveAlone(fixture, id, lock, delay(fixture.lease))
        })
      },

      async 'the next holder of a lost lock finds forced, until it has shut the earlier one out'(
        fixture,
      ) {
        await fixture.eachFault(fixture.everyFault, (fault) =>
          undisturbed(fixture, async (id) => {
            const lost = await lose(fixture, fault, id)
            if (lost === undefined) return
            await letGo(lost)
            const second = await taken(fixture, id, fixture.others.locker)
            assert.ok(second.forced, 'A lock that was lost was not released')
            assert.ok(second.token > lost.token, 'Tokens grow also after a lock was lost')
            await letGo(second)
            const third = await taken(fixture, id)
            assert.ok(third.forced, 'No holder has shut out the one that lost the lock')
            third.shutOut()
            assert.ok(!third.forced, 'The earlier holder has been shut out')
            stillHeld(third)
            await letGo(third)
            const fourth = await taken(fixture, id, fixture.others.locker)
            undisturbedIf(
              !fourth.forced,
              'The earlier holder was shut out, and forced is still true',
            )
            await letGo(fourth)
          }),
        )
      },

      async 'release of a lost lock does not affect the next holder'(fixture) {
        await fixture.eachFault(fixture.everyFault, (fault) =>
          undisturbed(fixture, async (id) => {
            const lost = await lose(fixture, fault, id)
            if (lost === undefined) return
            const second = await taken(fixture, id, fixture.others.locker)
            await letGo(lost)
            let isFree = false
            const third = started(fixture.acquire(id)).then((lock) => ((isFree = true), lock))
            await turns()
            stillHeld(second)
            assert.ok(!isFree, 'The lock of the next holder is not released')
            await letGo(second)
            await letGo(await fixture.soon(third, 'the lock that was released', limitOf(fixture)))
          }),
        )
      },

      async 'requests reach the holder after a fault'(fixture) {
        await fixture.eachFault(fixture.everyFault, (fault) =>
          undisturbed(fixture, async (id) => {
            const asked = new Gate()
            const first = await fixture.acquire(id, { requestRelease: () => (asked.open(), true) })
            await unplugBriefly(fixture, fault)
            const { locker } = fixture.others
            const second = started(fixture.recovered(() => fixture.acquire(id, {}, locker)))
            const what = 'the holder to be asked to release the lock'
            await fixture.soon(Promise.race([asked.opened, second]), what, limitOf(fixture))
            stillHeld(first)
            await fixture.soon(asked.opened, what)
            await letGo(first)
            await letGo(await second)
          }),
        )
      },

      async 'callers that wait during a fault get the lock, reject or give up'(fixture) {
        await fixture.eachFault(fixture.everyFault, async (fault) => {
          for (const leavesFirst of [true, false]) {
            await undisturbed(fixture, (id) => waitDuring(fixture, fault, id, leavesFirst))
          }
        })
      },
    },
    'unplug',
    'lease',
    'another',
  ),

  ...cases(
    'locker',
    clause,
    {
      async 'a lock that took longer than its lease to take is not held when others get it'(
        fixture,
      ) {
        const calls: { readonly id: string; readonly taking: Promise<Lock> }[] = []
        // The storage stops at several points of these calls.
        for (const pause of [128, 64, 32, 16, 8, 4, 2, 1, 1, 1, 1, 1, 0]) {
          const id = fixture.newId()
          calls.push({ id, taking: started(fixture.acquire(id)) })
          await turns(pause)
        }
        await outlast(fixture, 'paused')
        await Promise.all(
          calls.map(async ({ id, taking }) => {
            let lock: Lock | undefined
            await succeeds(taking.then((result) => (lock = result)))
            if (lock) await proveAlone(fixture, id, lock, delay(fixture.lease))
          }),
        )
      },

      async 'a late renewal of a lost lock does not affect the next holder'(fixture) {
        const [id, { locker }] = [fixture.newId(), fixture.others]
        const first = await taken(fixture, id)
        let taking: Promise<Lock> | undefined
        await outlast(fixture, 'paused', () => {
          // The storage gets this before the renewals that the holder sends from now on.
          taking = started(fixture.acquire(id, {}, locker))
        })
        await letGo(first)
        const waiting = fixture.soon(taking!, 'a lock that was lost', limitOf(fixture))
        let second: Lock | undefined
        await succeeds(waiting.then((lock) => (second = lock)))
        second ??= await taken(fixture, id, locker)
        assert.ok(second.token > first.token, 'Tokens grow')
        await letGo(second)
        const third = await taken(fixture, id, locker)
        assert.ok(third.token > second.token, 'The lock is that of the last holder')
        await letGo(third)
      },
    },
    'paused',
    'lease',
    'another',
  ),
]

/** Lets two callers wait during a fault, of which one gives up. */
async function waitDuring(
  fixture: Fixture,
  fault: StorageFault,
  id: string,
  leavesFirst: boolean,
): Promise<void> {
  const { locker } = fixture.others
  const [controller, reason] = [new AbortController(), new Error('Enough')]
  const stay = () => started(fixture.recovered(() => fixture.acquire(id, {}, locker)))
  const first = await fixture.acquire(id)
  const early = leavesFirst ? undefined : stay()
  const leaving = started(fixture.acquire(id, { signal: controller.signal }, locker))
  const staying = early ?? stay()
  await turns()
  await unplugBriefly(fixture, fault, () => controller.abort(reason))
  const tookIt = await succeeds(fixture.soon(leaving, 'a call whose signal has aborted'), reason)
  stillHeld(first)
  assert.ok(!tookIt, 'No caller gets the lock while it is held')
  await letGo(first)
  await letGo(await fixture.soon(staying, 'the lock that was released', limitOf(fixture)))
}

/** Makes the storage unavailable for much less than a lease. */
async function unplugBriefly(
  fixture: Fixture,
  fault: StorageFault,
  work = () => {},
): Promise<void> {
  const end = await fixture.unplug(fault)
  work()
  await turns()
  await end()
}
