import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LeaseLocker, type HeldLock, type SharedLocks } from 'tuskit/store-kit'

const { signal } = new AbortController()

test('a holder does not look again while the storage has not responded to a look', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const looks: ((found: HeldLock | undefined) => void)[] = []
  const locks: SharedLocks = {
    take: async () => ({ is: 'taken', token: 1, forced: false }),
    look: () => new Promise((resolve) => looks.push(resolve)),
    ask: async () => undefined,
    decline: async () => {},
    renew: async () => undefined,
    release: async () => {},
  }
  const locker = new LeaseLocker({ locks, lease: 600_000, pollInterval: 1_000 })
  const lock = await locker.acquire('a', { signal, requestRelease: () => true })
  vi.advanceTimersByTime(20_000)
  expect(looks).toHaveLength(1)
  looks[0]!({ is: 'held', token: 1, left: 600_000, writers: 0, readers: 0, declined: 0 })
  await turn()
  vi.advanceTimersByTime(1_000)
  expect(looks).toHaveLength(2)
  await lock.release()
})

test('a holder that sees the token of a later one has lost the lock', async () => {
  let wake = () => {}
  const held = { is: 'held', left: 60_000, writers: 0, readers: 0, declined: 0 } as const
  let token = 1
  const locks: SharedLocks = {
    take: async () => ({ is: 'taken', token: 2, forced: false }),
    look: async () => ({ ...held, token }),
    ask: async () => 1,
    decline: async () => {},
    renew: async () => undefined,
    release: async () => {},
    watch(_, call) {
      wake = call
      return () => {}
    },
  }
  const locker = new LeaseLocker({ locks, lease: 60_000, pollInterval: 60_000 })
  const lock = await locker.acquire('a', { signal, requestRelease: () => true })
  // A look may be late, or see an old state.
  wake()
  await turn()
  expect(lock.held()).toBe(true)
  token = 3
  wake()
  await turn()
  expect([lock.held(), lock.lost.aborted]).toEqual([false, true])
})

test('a request that arrives before the response to the holder is not missed', async () => {
  let wake = () => {}
  const held = { is: 'held', token: 1, left: 60_000, readers: 0, declined: 0 } as const
  const locks: SharedLocks = {
    async take() {
      wake()
      return { is: 'taken', token: 1, forced: false }
    },
    look: async () => ({ ...held, writers: 1 }),
    ask: async () => 1,
    decline: async () => {},
    renew: async () => ({ ...held, writers: 1 }),
    release: async () => {},
    watch(_, call) {
      wake = call
      return () => (wake = () => {})
    },
  }
  const locker = new LeaseLocker({ locks, lease: 60_000, pollInterval: 60_000 })
  const asked = new Promise<string>((resolve) => {
    const requestRelease = (requester: string) => (resolve(requester), true)
    void locker.acquire('a', { signal, requestRelease })
  })
  expect(await asked).toBe('writer')
})
