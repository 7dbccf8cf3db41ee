import type { Lock, Locker, LockRequester } from 'tuskit'
import type { Observation } from './observed-data.js'

/** Observes locks: how long requests wait for them, and since when this process holds them. */
export function observedLocker(inner: Locker, { live, metrics }: Observation): Locker {
  const timed = async <T>(requester: LockRequester, call: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    try {
      return await call()
    } finally {
      metrics.lockSeconds.observe({ requester }, (performance.now() - started) / 1000)
    }
  }
  return {
    async acquire(id, options) {
      const upload = live.begin(id)
      try {
        const lock = await timed('writer', () => inner.acquire(id, options))
        const letGo = upload.hold(lock)
        return observedLock(lock, () => {
          letGo()
          live.end(upload)
        })
      } catch (error) {
        live.end(upload)
        throw error
      }
    },
    settle: (id, options) => timed('reader', () => inner.settle(id, options)),
  }
}

/** `onRelease` is called once, when the release has settled. */
function observedLock(lock: Lock, onRelease: () => void): Lock {
  let released = false
  return {
    get token() {
      return lock.token
    },
    get forced() {
      return lock.forced
    },
    get lost() {
      return lock.lost
    },
    shutOut: () => lock.shutOut(),
    held: () => lock.held(),
    async release() {
      try {
        await lock.release()
      } finally {
        if (!released) onRelease()
        released = true
      }
    },
  }
}
