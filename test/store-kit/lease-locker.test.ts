import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LeaseLocker, type HeldLock, type SharedLocks } from 'tuskit/store-kit'

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
  const { signal } = new AbortController()
  const lock = await locker.acquire('a', { signal, requestRelease: () => true })
  vi.advanceTimersByTime(20_000)
  expect(looks).toHaveLength(1)
  looks[0]!({ is: 'held', token: 1, left: 600_000, writers: 0, readers: 0, declined: 0 })
  await turn()
  vi.advanceTimersByTime(1_000)
  expect(looks).toHaveLength(2)
  await lock.release()
})
