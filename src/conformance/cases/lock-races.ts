import assert from 'node:assert/strict'
import type { Lock, Locker } from '../../capabilities/locker.js'
import { concurrentCases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { started, turns } from '../fixture/gate.js'
import { stillHeld, undisturbed } from '../fixture/locks.js'

/** Locks that many callers want at the same time. */
export const lockRaceCases = concurrentCases('locker', 'writing-a-locker', {
  async 'many callers get the locks of several ids, one caller at a time'(fixture) {
    const ids = ['a', 'b', 'c']
    const holders = new Map<string, Lock>()
    const contend = async (contender: number) => {
      for (let round = 0; round < 6; round++) {
        const id = ids[(contender + round) % ids.length]!
        const lock = await fixture.acquire(id, {}, lockerOf(fixture, contender))
        assert.ok(!holders.get(id)?.held(), `The lock of ${id} has one holder at a time`)
        holders.set(id, lock)
        await turns(round % 3)
        await lock.release()
      }
    }
    await Promise.all(Array.from({ length: 12 }, (_, contender) => contend(contender)))
  },

  async 'a caller that gives up during a handover does not keep the lock from others'(fixture) {
    for (const delay of [0, 1, 2, 3, 4, 6, 8, 12, 16]) {
      const id = fixture.newId()
      const [controller, reason] = [new AbortController(), new Error('Enough')]
      const first = await fixture.acquire(id)
      const { locker } = fixture.others
      const leaving = started(fixture.acquire(id, { signal: controller.signal }, locker))
      const staying = started(fixture.acquire(id, {}, locker))
      await turns(delay)
      const releasing = first.release()
      await turns(delay)
      controller.abort(reason)
      await releasing
      await leaving.then(
        (lock) => lock.release(),
        (error: unknown) => assert.equal(error, reason, 'The reason why acquire rejects'),
      )
      const lock = await fixture.soon(staying, 'the lock that was released')
      await lock.release()
    }
  },

  async 'releases at the same time end only their own acquisition'(fixture) {
    await undisturbed(fixture, async (id) => {
      const released: Lock[] = []
      let holder: Lock | undefined
      const contend = async (contender: number) => {
        const lock = await fixture.acquire(id, {}, lockerOf(fixture, contender))
        assert.ok(!holder?.held(), 'The lock has one holder at a time')
        holder = lock
        await Promise.all(released.map((earlier) => earlier.release()))
        await turns(2)
        stillHeld(lock)
        released.push(lock)
        await Promise.all([lock.release(), lock.release(), turns(1).then(() => lock.release())])
      }
      await fixture.soon(Promise.all([0, 1, 2, 3, 4, 5].map(contend)), 'all to get the lock')
    })
  },
})

/** Spreads callers over both instances. */
function lockerOf(fixture: Fixture, caller: number): Locker {
  return (caller % 2 === 0 ? fixture.slots : fixture.others).locker
}
