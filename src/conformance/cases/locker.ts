import assert from 'node:assert/strict'
import { cases } from '../case.js'
import { nearIds } from './data-store.js'
import { Gate, started, turns } from '../fixture/gate.js'
import { rejects } from '../fixture/rejects.js'
import type { Lock, LockRequester } from '../../capabilities/locker.js'

/** Locks: one writer at a time. */
export const lockerCases = [
  ...cases('locker', 'writing-a-locker', {
    async 'a lock is held until it is released'(fixture) {
      const lock = await fixture.acquire('a')
      assert.equal(lock.held(), true)
      assert.equal(lock.forced, false)
      assert.equal(Number.isSafeInteger(lock.token), true)
      await turns()
      assert.equal(lock.held(), true)
      await lock.release()
      assert.equal(lock.held(), false)
      assert.equal(lock.lost.aborted, false)
    },

    async 'the lock has one holder at a time, and tokens grow from holder to holder'(fixture) {
      const tokens: number[] = []
      let holders = 0
      const contend = async (contender: number) => {
        const { locker } = contender % 2 === 0 ? fixture.slots : fixture.others
        for (let round = 0; round < 8; round++) {
          const lock = await fixture.acquire('a', {}, locker)
          holders++
          tokens.push(lock.token)
          await turns(2)
          assert.equal(holders, 1, 'The lock has one holder at a time')
          assert.ok(lock.held())
          holders--
          await lock.release()
        }
      }
      await Promise.all([0, 1, 2, 3].map(contend))
      const growing = tokens.every((token, i) => i === 0 || token > tokens[i - 1]!)
      assert.ok(growing, `Tokens grow: ${tokens.join()}`)
    },

    async 'waiting callers get the lock in the order of their requests'(fixture) {
      const first = await fixture.acquire('a')
      const order: number[] = []
      const waiting = [1, 2, 3, 4, 5].map(async (number) => {
        const lock = await fixture.acquire('a')
        order.push(number)
        await turns(2)
        await lock.release()
      })
      await turns()
      assert.deepEqual(order, [], 'No caller gets the lock while it is held')
      await first.release()
      await fixture.soon(Promise.all(waiting), 'all to get their turn')
      assert.deepEqual(order, [1, 2, 3, 4, 5])
    },

    async 'locks of similar ids are separate'(fixture) {
      const all = Promise.all(nearIds.map((id) => fixture.acquire(id)))
      for (const lock of await fixture.soon(all, 'locks without a holder')) assert.ok(lock.held())
    },

    async 'the holder is asked to release the lock when another caller waits'(fixture) {
      const [asked, requesters] = [new Gate(), [] as LockRequester[]]
      const requestRelease = (requester: LockRequester) => {
        requesters.push(requester)
        asked.open()
        return true
      }
      const first = await fixture.acquire('a', { requestRelease })
      assert.deepEqual(requesters, [], 'No caller has asked yet')
      const second = started(fixture.acquire('a'))
      await fixture.soon(asked.opened, 'the holder to be asked to release the lock')
      assert.deepEqual(new Set(requesters), new Set(['writer']))
      assert.ok(first.held(), 'Being asked does not release the lock')
      await first.release()
      assert.ok((await fixture.soon(second, 'the lock that was released')).held())
    },

    async 'the next holder is asked too while others wait'(fixture) {
      const asked = new Gate()
      const first = await fixture.acquire('a')
      const requestRelease = () => (asked.open(), true)
      const second = started(fixture.acquire('a', { requestRelease }))
      const third = started(fixture.acquire('a'))
      await first.release()
      const lock = await fixture.soon(second, 'the lock that was released')
      await fixture.soon(asked.opened, 'the next holder to be asked to release the lock')
      await lock.release()
      await fixture.soon(third, 'the lock that was released')
    },

    async 'the holder can release the lock while it is being asked'(fixture) {
      let lock: Lock | undefined
      const requestRelease = () => (void lock!.release(), true)
      lock = await fixture.acquire('a', { requestRelease })
      const next = await fixture.soon(fixture.acquire('a'), 'the lock that was released')
      assert.ok(next.held() && !lock.held())
      assert.ok(next.token > lock.token)
      assert.equal(next.forced, false, 'The previous holder has released the lock')
    },

    async 'release ends only its own acquisition, and only once'(fixture) {
      const first = await fixture.acquire('a')
      await first.release()
      const second = await fixture.acquire('a')
      let [third, fourth] = [false, false]
      const waiting = started(fixture.acquire('a')).then((lock) => ((third = true), lock))
      await first.release()
      await turns()
      assert.ok(second.held() && !third, 'A second release does not affect later holders')
      await second.release()
      const lock = await fixture.soon(waiting, 'the lock that was released')
      await Promise.all([first.release(), second.release()])
      const last = started(fixture.acquire('a')).then(() => (fourth = true))
      await turns()
      assert.ok(lock.held() && !fourth)
      await lock.release()
      await fixture.soon(last, 'the lock that was released')
    },

    async 'a wait ends with the reason of its signal, and is forgotten'(fixture) {
      const first = await fixture.acquire('a')
      const controller = new AbortController()
      const reason = new Error('Enough')
      const second = started(fixture.acquire('a', { signal: controller.signal }))
      const third = started(fixture.acquire('a'))
      await turns()
      controller.abort(reason)
      await rejects(() => fixture.soon(second, 'the wait to end'), reason, 'acquire')
      assert.ok(first.held(), 'The holder is not affected')
      await first.release()
      assert.ok((await fixture.soon(third, 'the lock that was released')).held())
    },

    async 'acquire rejects when its signal has aborted, and leaves the lock free'(fixture) {
      const reason = new Error('Enough')
      const signal = AbortSignal.abort(reason)
      await rejects(() => fixture.acquire('a', { signal }), reason, 'acquire')
      const lock = await fixture.soon(fixture.acquire('a'), 'a lock without a holder')
      assert.equal(lock.forced, false)
    },
  }),

  ...cases(
    'locker',
    'writing-a-locker',
    {
      async 'another instance asks the holder for the lock, and waits for it'(fixture) {
        const asked = new Gate()
        const requestRelease = () => (asked.open(), true)
        const first = await fixture.acquire('a', { requestRelease })
        let taken = false
        const second = started(fixture.acquire('a', {}, fixture.others.locker))
        void second.then(() => (taken = true))
        await fixture.soon(asked.opened, 'the holder to be asked to release the lock')
        await turns()
        assert.ok(first.held() && !taken)
        await first.release()
        const lock = await fixture.soon(second, 'the lock that was released')
        assert.ok(lock.token > first.token)
        assert.equal(lock.forced, false)
      },
    },
    'another',
  ),
]
