import assert from 'node:assert/strict'
import type { LockRequester, Locker } from '../../capabilities/locker.js'
import { cases } from '../case.js'
import { Gate, calm, started, turns } from '../fixture/gate.js'
import { rejects } from '../fixture/rejects.js'

/** What a locker tells readers. */
export const settleCases = [
  ...cases('locker', {
    async 'settle says free when nobody holds the lock'(fixture) {
      assert.equal(await settle(fixture.slots.locker), 'free')
      const lock = await fixture.acquire('a')
      assert.equal(await settle(fixture.slots.locker, 'b'), 'free')
      await lock.release()
      assert.equal(await settle(fixture.slots.locker), 'free')
      assert.equal(await settle(fixture.others.locker), 'free')
    },

    async 'settle says held when the holder declines, who was asked as by a reader'(fixture) {
      const requesters: LockRequester[] = []
      const requestRelease = (requester: LockRequester) => (
        requesters.push(requester),
        requester === 'writer'
      )
      const lock = await fixture.acquire('a', { requestRelease })
      for (let round = 1; round <= 3; round++) {
        const answer = await fixture.soon(settle(fixture.slots.locker), 'the answer of a holder')
        assert.equal(answer, 'held')
        assert.deepEqual(requesters, Array(round).fill('reader'), 'What the holder was asked')
      }
      assert.ok(lock.held(), 'A reader takes nothing away')
    },

    async 'settle waits for a holder that cannot decline at once'(fixture) {
      const [asked, known] = [new Gate(), new Gate()]
      const requestRelease = () => (asked.open(), known.opened.then(() => false))
      const lock = await fixture.acquire('a', { requestRelease })
      let answer: string | undefined
      const settling = settle(fixture.slots.locker).then((said) => (answer = said))
      await fixture.soon(asked.opened, 'the holder to be asked')
      await turns()
      assert.equal(answer, undefined, 'There is no answer before the holder has given one')
      known.open()
      assert.equal(await fixture.soon(settling, 'the answer of a holder'), 'held')
      assert.ok(lock.held(), 'A reader takes nothing away')
    },

    async 'settle waits for a holder that agrees, and says free then'(fixture) {
      const asked = new Gate()
      const requestRelease = () => (asked.open(), true)
      const lock = await fixture.acquire('a', { requestRelease })
      let answer: string | undefined
      const settling = settle(fixture.slots.locker).then((said) => (answer = said))
      await fixture.soon(asked.opened, 'the holder to be asked')
      await turns()
      assert.equal(answer, undefined, 'There is no answer before the holder has let go')
      await lock.release()
      assert.equal(await fixture.soon(settling, 'the answer after the release'), 'free')
    },

    async 'settle says free when the holder lets go while it is asked'(fixture) {
      const lock = fixture.acquire('a', {
        requestRelease: () => {
          void lock.then((held) => held.release())
          return true
        },
      })
      await lock
      assert.equal(await fixture.soon(settle(fixture.slots.locker), 'the answer'), 'free')
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

    async 'settle takes nothing: the lock stays free'(fixture) {
      const settling = Promise.all([1, 2, 3].map(() => settle(fixture.slots.locker)))
      assert.deepEqual(await fixture.soon(settling, 'answers'), ['free', 'free', 'free'])
      const lock = await fixture.soon(fixture.acquire('a'), 'a lock that nobody holds')
      assert.equal(lock.forced, false)
    },
  }),

  ...cases(
    'locker',
    {
      async 'settle of another instance never says free while the lock is held'(fixture) {
        let agrees = false
        const asked = new Gate()
        const requestRelease = () => (asked.open(), agrees)
        const lock = await fixture.acquire('a', { requestRelease })
        assert.equal(await fixture.soon(settle(fixture.others.locker), 'an answer'), 'held')
        agrees = true
        let released = false
        const settling = settle(fixture.others.locker).then((answer) => {
          // One that cannot ask says held.
          assert.ok(answer === 'held' || released)
        })
        await turns()
        released = true
        await lock.release()
        await fixture.soon(settling, 'the answer after the release')
      },
    },
    'another',
  ),
]

function settle(locker: Locker, id = 'a'): Promise<'free' | 'held'> {
  return locker.settle(id, calm)
}
