import assert from 'node:assert/strict'
import type { LockClaim, Locker } from '../../capabilities/locker.js'
import { cases } from '../case.js'
import { Gate, never, started, turns } from '../fixture/gate.js'
import { rejects } from '../fixture/fixture.js'

/** What a locker tells readers. */
export const settleCases = [
  ...cases('locker', {
    async 'settle says free when nobody holds the lock'(stage) {
      assert.equal(await settle(stage.slots.locker), 'free')
      const lock = await stage.acquire('a')
      assert.equal(await settle(stage.slots.locker, 'b'), 'free')
      await lock.release()
      assert.equal(await settle(stage.slots.locker), 'free')
      assert.equal(await settle(stage.others.locker), 'free')
    },

    async 'settle says held when the holder declines, who was asked as by a reader'(stage) {
      const claims: LockClaim[] = []
      const requestRelease = (claim: LockClaim) => (claims.push(claim), claim === 'writer')
      const lock = await stage.acquire('a', { requestRelease })
      for (let round = 1; round <= 3; round++) {
        const answer = await stage.soon(settle(stage.slots.locker), 'the answer of a holder')
        assert.equal(answer, 'held')
        assert.deepEqual(claims, Array(round).fill('reader'), 'What the holder was asked')
      }
      assert.ok(lock.held(), 'A reader takes nothing away')
    },

    async 'settle waits for a holder that cannot decline at once'(stage) {
      const [asked, known] = [new Gate(), new Gate()]
      const requestRelease = () => (asked.open(), known.opened.then(() => false))
      const lock = await stage.acquire('a', { requestRelease })
      let answer: string | undefined
      const settling = settle(stage.slots.locker).then((said) => (answer = said))
      await stage.soon(asked.opened, 'the holder to be asked')
      await turns()
      assert.equal(answer, undefined, 'There is no answer before the holder has given one')
      known.open()
      assert.equal(await stage.soon(settling, 'the answer of a holder'), 'held')
      assert.ok(lock.held(), 'A reader takes nothing away')
    },

    async 'settle waits for a holder that agrees, and says free then'(stage) {
      const asked = new Gate()
      const requestRelease = () => (asked.open(), true)
      const lock = await stage.acquire('a', { requestRelease })
      let answer: string | undefined
      const settling = settle(stage.slots.locker).then((said) => (answer = said))
      await stage.soon(asked.opened, 'the holder to be asked')
      await turns()
      assert.equal(answer, undefined, 'There is no answer before the holder has let go')
      await lock.release()
      assert.equal(await stage.soon(settling, 'the answer after the release'), 'free')
    },

    async 'settle says free when the holder lets go while it is asked'(stage) {
      const lock = stage.acquire('a', {
        requestRelease: () => {
          void lock.then((held) => held.release())
          return true
        },
      })
      await lock
      assert.equal(await stage.soon(settle(stage.slots.locker), 'the answer'), 'free')
    },

    async 'settle ends with the reason of its signal'(stage) {
      const [asked, reason, controller] = [new Gate(), new Error('Enough'), new AbortController()]
      const lock = await stage.acquire('a', { requestRelease: () => (asked.open(), true) })
      const { signal } = controller
      const settling = started(stage.slots.locker.settle('a', { signal }))
      await stage.soon(asked.opened, 'the holder to be asked')
      controller.abort(reason)
      await rejects(() => stage.soon(settling, 'the wait to end'), reason, 'settle')
      await rejects(() => stage.slots.locker.settle('a', { signal }), reason, 'settle')
      assert.ok(lock.held())
    },

    async 'settle takes nothing: the lock stays free'(stage) {
      const settling = Promise.all([1, 2, 3].map(() => settle(stage.slots.locker)))
      assert.deepEqual(await stage.soon(settling, 'answers'), ['free', 'free', 'free'])
      const lock = await stage.soon(stage.acquire('a'), 'a lock that nobody holds')
      assert.equal(lock.forced, false)
    },
  }),

  ...cases(
    'locker',
    {
      async 'settle of another instance never says free while the lock is held'(stage) {
        let agrees = false
        const asked = new Gate()
        const requestRelease = () => (asked.open(), agrees)
        const lock = await stage.acquire('a', { requestRelease })
        assert.equal(await stage.soon(settle(stage.others.locker), 'an answer'), 'held')
        agrees = true
        let released = false
        const settling = settle(stage.others.locker).then((answer) => {
          // One that cannot ask says held.
          assert.ok(answer === 'held' || released)
        })
        await turns()
        released = true
        await lock.release()
        await stage.soon(settling, 'the answer after the release')
      },
    },
    'another',
  ),
]

function settle(locker: Locker, id = 'a'): Promise<'free' | 'held'> {
  return locker.settle(id, { signal: never })
}
