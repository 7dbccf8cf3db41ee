import assert from 'node:assert/strict'
import type { LockRequester, Locker } from '../../capabilities/locker.js'
import { cases } from '../case.js'
import { Gate, noAbort, started, turns } from '../fixture/gate.js'
import { rejects } from '../fixture/rejects.js'

/** Readers that ask whether the lock is held. */
export const settleCases = [
  ...cases('locker', 'writing-a-locker', {
    async 'settle returns free when the lock has no holder'(fixture) {
      assert.equal(await settle(fixture.slots.locker), 'free')
      const lock = await fixture.acquire('a')
      assert.equal(await settle(fixture.slots.locker, 'b'), 'free')
      await lock.release()
      assert.equal(await settle(fixture.slots.locker), 'free')
      assert.equal(await settle(fixture.others.locker), 'free')
    },

    async 'settle asks the holder as a reader, and returns held when it declines'(fixture) {
      const requesters: LockRequester[] = []
      const requestRelease = (requester: LockRequester) => (
        requesters.push(requester),
        requester === 'writer'
      )
      const lock = await fixture.acquire('a', { requestRelease })
      for (let round = 1; round <= 3; round++) {
        const result = await fixture.soon(settle(fixture.slots.locker), 'the response of a holder')
        assert.equal(result, 'held')
        assert.deepEqual(
          requesters,
          Array(round).fill('reader'),
          'The requests that the holder got',
        )
      }
      assert.ok(lock.held(), 'A reader does not take the lock away')
    },

    async 'settle waits for a holder that cannot decline at once'(fixture) {
      const [asked, known] = [new Gate(), new Gate()]
      const requestRelease = () => (asked.open(), known.opened.then(() => false))
      const lock = await fixture.acquire('a', { requestRelease })
      let result: string | undefined
      const settling = settle(fixture.slots.locker).then((said) => (result = said))
      await fixture.soon(asked.opened, 'the holder to be asked')
      await turns()
      assert.equal(result, undefined, 'There is no result before the holder has responded')
      known.open()
      assert.equal(await fixture.soon(settling, 'the response of a holder'), 'held')
      assert.ok(lock.held(), 'A reader does not take the lock away')
    },

    async 'settle waits for a holder that agrees, and then returns free'(fixture) {
      const asked = new Gate()
      const requestRelease = () => (asked.open(), true)
      const lock = await fixture.acquire('a', { requestRelease })
      let result: string | undefined
      const settling = settle(fixture.slots.locker).then((said) => (result = said))
      await fixture.soon(asked.opened, 'the holder to be asked')
      await turns()
      assert.equal(result, undefined, 'There is no result before the holder has released the lock')
      await lock.release()
      assert.equal(await fixture.soon(settling, 'the result after the release'), 'free')
    },

    async 'settle returns free when the holder releases the lock while being asked'(fixture) {
      const lock = fixture.acquire('a', {
        requestRelease: () => {
          void lock.then((held) => held.release())
          return true
        },
      })
      await lock
      assert.equal(await fixture.soon(settle(fixture.slots.locker), 'the result'), 'free')
    },

    async 'settle ends with the reason of its signal'(fixture) {
      const [asked, reason, controller] = [new Gate(), new Error('Enough'), new AbortController()]
      const lock = await fixture.acquire('a', { requestRelease: () => (asked.open(), true) })
      const { signal } = controller
      const settling = started(fixture.slots.locker.settle('a', { signal }))
      await fixture.soon(asked.opened, 'the holder to be asked')
      controller.abort(reason)
      await rejects(() => fixture.soon(settling, 'the wait to end'), reason, 'settle')
      await rejects(() => fixture.slots.locker.settle('a', { signal }), reason, 'settle')
      assert.ok(lock.held())
    },

    async 'settle does not take the lock'(fixture) {
      const settling = Promise.all([1, 2, 3].map(() => settle(fixture.slots.locker)))
      assert.deepEqual(await fixture.soon(settling, 'the results'), ['free', 'free', 'free'])
      const lock = await fixture.soon(fixture.acquire('a'), 'a lock without a holder')
      assert.equal(lock.forced, false)
    },
  }),

  ...cases(
    'locker',
    'writing-a-locker',
    {
      async 'settle of another instance never returns free while the lock is held'(fixture) {
        let agrees = false
        const asked = new Gate()
        const requestRelease = () => (asked.open(), agrees)
        const lock = await fixture.acquire('a', { requestRelease })
        assert.equal(await fixture.soon(settle(fixture.others.locker), 'a result'), 'held')
        agrees = true
        let released = false
        const settling = settle(fixture.others.locker).then((result) => {
          // A locker that cannot ask returns held.
          assert.ok(result === 'held' || released)
        })
        await turns()
        released = true
        await lock.release()
        await fixture.soon(settling, 'the result after the release')
      },
    },
    'another',
  ),
]

function settle(locker: Locker, id = 'a'): Promise<'free' | 'held'> {
  return locker.settle(id, noAbort)
}
