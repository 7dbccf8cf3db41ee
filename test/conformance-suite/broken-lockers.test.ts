import { setImmediate as turn } from 'node:timers/promises'
import { describe } from 'vitest'
import type { Lock, Locker } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { openedByLocks } from './broken-connections.js'
import { brokenLockFaults } from './broken-lock-faults.js'
import { brokenLockLosses } from './broken-lock-losses.js'
import { acquireLate } from './broken-remote-lockers.js'
import { changed, composed, everything, testCaught, type Broken } from './broken.js'

const { signal: never } = new AbortController()
const slots = ['locker'] as const

/** A memory locker of which something is broken. */
function locker(
  caught: string,
  title: string,
  breakIt: (sound: Locker) => Partial<Locker>,
  options: Partial<Broken> = {},
): Broken {
  const factory = () => {
    const sound: Locker = new MemoryLocker()
    return composed({ locker: changed(sound, breakIt(sound)) })
  }
  return { caught: `Locker: ${caught}`, title, slots, factory, ...options }
}

/** A locker that changes the locks it gives. */
function giving(change: (lock: Lock) => Partial<Lock>): (sound: Locker) => Partial<Locker> {
  return (sound) => ({
    async acquire(id, options) {
      const lock = await sound.acquire(id, options)
      return changed(lock, change(lock))
    },
  })
}

const separate = () => composed({ locker: new MemoryLocker() }).composer

const acquisitions: readonly Broken[] = [
  locker(
    'a lock is held until it is released',
    'locks are held forever',
    giving(() => ({ held: () => true })),
  ),
  locker(
    'the lock has one holder at a time, and tokens grow from holder to holder',
    'lets two in',
    () => ({ acquire: (id, options) => new MemoryLocker().acquire(id, options) }),
  ),
  locker(
    'the lock has one holder at a time, and tokens grow from holder to holder',
    'lets two in, one of each process',
    () => ({}),
    { another: separate },
  ),
  locker(
    'the lock has one holder at a time, and tokens grow from holder to holder',
    'tokens repeat',
    giving(() => ({ token: 1 })),
  ),
  locker(
    'the lock has one holder at a time, and tokens grow from holder to holder',
    'tokens come at random',
    giving(({ token }) => ({ token: (token * 7919) % 1009 })),
  ),
  locker(
    'waiting callers get the lock in the order of their requests',
    'serves the last first',
    (sound) => {
      let turn: Promise<unknown> = Promise.resolve()
      let waiting: (() => void)[] = []
      return {
        async acquire(id, options) {
          await new Promise<void>((resolve) => {
            waiting.unshift(resolve)
            turn = turn.then(() => waiting.shift()!())
          })
          return sound.acquire(id, options)
        },
      }
    },
  ),
  locker(
    'locks of similar ids are separate',
    'has one lock for ids that differ in case',
    (sound) => ({
      acquire: (id, options) => sound.acquire(id.toLowerCase(), options),
    }),
  ),
  locker(
    'the holder is asked to release the lock when another caller waits',
    'never asks',
    (sound) => ({
      acquire: (id, options) => sound.acquire(id, { ...options, requestRelease: () => true }),
    }),
  ),
  locker(
    'the holder is asked to release the lock when another caller waits',
    'asks writers as by a reader',
    (sound) => ({
      acquire: (id, options) =>
        sound.acquire(id, { ...options, requestRelease: () => options.requestRelease('reader') }),
    }),
  ),
  locker(
    'the next holder is asked too while others wait',
    'asks the first holder only',
    (sound) => {
      let first = true
      return {
        acquire(id, options) {
          const requestRelease = first ? options.requestRelease : () => true
          first = false
          return sound.acquire(id, { ...options, requestRelease })
        },
      }
    },
  ),
  locker(
    'the holder can release the lock while it is being asked',
    'does not notice a release while it asks',
    (sound) => {
      let asking = false
      return {
        async acquire(id, options) {
          const requestRelease: typeof options.requestRelease = (requester) => {
            asking = true
            const answer = options.requestRelease(requester)
            asking = false
            return answer
          }
          const lock = await sound.acquire(id, { ...options, requestRelease })
          return changed(lock, { release: async () => (asking ? undefined : lock.release()) })
        },
      }
    },
  ),
  locker(
    'release ends only its own acquisition, and only once',
    'releases the lock of another holder',
    (sound) => {
      let current: Lock | undefined
      return {
        async acquire(id, options) {
          const lock = await sound.acquire(id, options)
          current = lock
          return changed(lock, { release: () => current!.release() })
        },
      }
    },
  ),
  locker(
    'a wait ends with the reason of its signal, and is forgotten',
    'waits whatever the signal',
    (sound) => ({
      async acquire(id, options) {
        options.signal.throwIfAborted()
        return sound.acquire(id, { ...options, signal: never })
      },
    }),
  ),
  locker(
    'a wait ends with the reason of its signal, and is forgotten',
    'gives the lock to one who went',
    (sound) => ({
      acquire(id, options) {
        const aborted = new Promise<never>((_, reject) => {
          options.signal.throwIfAborted()
          options.signal.addEventListener('abort', () => reject(options.signal.reason))
        })
        return Promise.race([sound.acquire(id, { ...options, signal: never }), aborted])
      },
    }),
  ),
  locker(
    'acquire rejects when its signal has aborted, and leaves the lock free',
    'takes the lock before it looks at the signal',
    (sound) => ({
      async acquire(id, options) {
        const lock = await sound.acquire(id, { ...options, signal: never })
        options.signal.throwIfAborted()
        return lock
      },
    }),
  ),
  locker(
    'another instance asks the holder for the lock, and waits for it',
    'asks in its own process only',
    () => ({}),
    { another: separate },
  ),
]

const settlements: readonly Broken[] = [
  locker('settle returns free when the lock has no holder', 'settle says held, to be safe', () => ({
    settle: async () => 'held',
  })),
  locker(
    'settle asks the holder as a reader, and returns held when it declines',
    'settle says free, to be quick',
    () => ({ settle: async () => 'free' }),
  ),
  locker(
    'settle asks the holder as a reader, and returns held when it declines',
    'settle asks as a writer does',
    (sound) => ({
      acquire: (id, options) =>
        sound.acquire(id, { ...options, requestRelease: () => options.requestRelease('writer') }),
    }),
  ),
  locker(
    'settle asks the holder as a reader, and returns held when it declines',
    'settle takes the lock and gives it back',
    (sound) => ({
      async settle(id, { signal }) {
        const lock = await sound.acquire(id, { signal, requestRelease: () => true })
        await lock.release()
        return 'free'
      },
    }),
  ),
  locker(
    'settle waits for a holder that cannot decline at once',
    'settle takes a promise for a yes',
    (sound) => ({
      acquire(id, options) {
        const requestRelease: typeof options.requestRelease = (requester) =>
          Boolean(options.requestRelease(requester))
        return sound.acquire(id, { ...options, requestRelease })
      },
    }),
  ),
  locker(
    'settle waits for a holder that agrees, and then returns free',
    'settle takes a yes for a release',
    (sound) => ({
      async settle(id, options) {
        const settling = sound.settle(id, options)
        const soon = new Promise<'free'>((resolve) => setImmediate(() => resolve('free')))
        return Promise.race([settling, soon])
      },
    }),
  ),
  locker(
    'settle waits for a holder that agrees, and then returns free',
    'settle never waits',
    (sound) => ({
      acquire(id, options) {
        const requestRelease: typeof options.requestRelease = (requester) =>
          options.requestRelease(requester) && requester === 'writer'
        return sound.acquire(id, { ...options, requestRelease })
      },
    }),
  ),
  locker(
    'settle returns free when the holder releases the lock while being asked',
    'waits for a release that was',
    (sound) => ({
      async settle(id, options) {
        const answer = await sound.settle(id, options)
        return answer === 'free' ? new Promise(() => {}) : answer
      },
    }),
  ),
  locker('settle ends with the reason of its signal', 'settle ignores its signal', (sound) => ({
    settle: (id) => sound.settle(id, { signal: never }),
  })),
  locker('settle does not take the lock', 'settle leaves a lock behind', (sound) => ({
    async settle(id, options) {
      const answer = await sound.settle(id, options)
      if (answer === 'free') await sound.acquire(id, { ...options, requestRelease: () => true })
      return answer
    },
  })),
  locker(
    'settle of another instance never returns free while the lock is held',
    'settle knows its own process only',
    () => ({}),
    { another: separate },
  ),
]

const severalIds = 'many callers get the locks of several ids, one caller at a time'
const handover = 'a caller that gives up during a handover does not keep the lock from others'

const races: readonly Broken[] = [
  locker(severalIds, 'keeps the id of a call in a member', (sound) => {
    let current: string
    return {
      async acquire(id, options) {
        current = id
        await turn()
        return sound.acquire(current, options)
      },
    }
  }),
  locker(`${severalIds}, on two instances`, 'lets two in, of two processes', () => ({}), {
    another: separate,
  }),
  locker(handover, 'looks at the signal only when it has the lock', (sound) => ({
    acquire: (...args) => acquireLate((...sought) => sound.acquire(...sought), ...args),
  })),
  locker(
    'releases at the same time end only their own acquisition',
    'notes only in the end that it has released a lock',
    (sound) => {
      let current: Lock | undefined
      return {
        async acquire(id, options) {
          const lock = await sound.acquire(id, options)
          current = lock
          let released = false
          return changed(lock, {
            async release() {
              if (released) return
              await turn()
              await current!.release()
              released = true
            },
          })
        },
      }
    },
  ),
]

describe('Of broken lockers, the suite catches one that', () => {
  testCaught(
    [
      ...acquisitions,
      ...settlements,
      ...races,
      ...brokenLockFaults,
      ...brokenLockLosses,
      ...openedByLocks,
    ],
    everything('locker'),
  )
})
