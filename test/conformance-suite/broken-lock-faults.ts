import type { AcquireOptions, Lock, ReadOptions } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import type { Broken } from './broken.js'
import { freesFirst, giving, KeepsTurns, never, remote } from './broken-remote-lockers.js'
import type { FakeDatabase } from './fake-database.js'
import { RemoteLocker, type LockRow } from './remote-locker.js'

const acquiring =
  'acquire gives no lock while the storage cannot be reached, and works again after that'
const settling = 'settle never returns free while the storage cannot be reached'
const pausedAcquire = 'acquire ends with its signal while the storage does not respond'
const pausedSettle = 'settle ends with its signal while the storage does not respond'
const heldSettle =
  'settle never returns free while the lock is held and the storage becomes unavailable'
const tokens = 'tokens grow when the storage was unavailable'
const faultyAcquire =
  'a fault during acquire does not keep the lock from others, and never gives it to two'
const releasing = 'release settles after a fault at the latest, and the lock becomes free'

function causeOf(error: unknown): { readonly code?: unknown } | undefined {
  return (error as { cause?: { code?: unknown } }).cause
}

/** Takes every failure for a free lock. */
class SettlesFree extends RemoteLocker {
  override settle(id: string, options: ReadOptions) {
    return super.settle(id, options).catch(() => 'free' as const)
  }
}

const counts = new WeakMap<FakeDatabase, number>()

/** Counts tokens where a restart of the server clears them. */
class CountsInMemory extends RemoteLocker {
  constructor(database: FakeDatabase, duration: number) {
    super(database, duration)
    const lose = this.notices.lose.bind(this.notices)
    this.notices.lose = () => {
      counts.delete(database)
      lose()
    }
  }

  override takeRow(row: LockRow, holder: string): LockRow {
    const next = super.takeRow(row, holder)
    if (next.holder !== holder) return next
    const token = (counts.get(this.database) ?? 0) + 1
    counts.set(this.database, token)
    return { ...next, token }
  }
}

export const brokenLockFaults: readonly Broken[] = [
  remote(
    acquiring,
    'takes the lock in memory when it cannot reach the storage',
    class extends RemoteLocker {
      override acquire(id: string, options: AcquireOptions) {
        return super.acquire(id, options).catch((error: unknown) => {
          if (options.signal.aborted) throw error
          return new MemoryLocker().acquire(id, options)
        })
      }
    },
  ),
  remote(
    acquiring,
    'does not say in acquire that the storage is unavailable',
    class extends RemoteLocker {
      override acquire(id: string, options: AcquireOptions) {
        return super.acquire(id, options).catch((error: unknown) => {
          throw causeOf(error) ?? error
        })
      }
    },
  ),
  remote(
    acquiring,
    'tries to take the lock whatever the signal',
    class extends RemoteLocker {
      override async acquire(id: string, options: AcquireOptions): Promise<Lock> {
        for (;;) {
          try {
            return await super.acquire(id, { ...options, signal: never })
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        }
      }
    },
  ),
  remote(
    acquiring,
    'never connects again',
    class extends RemoteLocker {
      #broken: unknown

      override async acquire(id: string, options: AcquireOptions): Promise<Lock> {
        if (this.#broken !== undefined) throw this.#broken
        return super.acquire(id, options).catch((error: unknown) => {
          this.#broken = error
          throw error
        })
      }
    },
  ),
  remote(settling, 'takes a lock that it cannot see for free', SettlesFree),
  remote(
    settling,
    'takes a missing table for a free lock',
    class extends RemoteLocker {
      override settle(id: string, options: ReadOptions) {
        return super.settle(id, options).catch((error: unknown) => {
          if (causeOf(error)?.code === 'ENOENT') return 'free' as const
          throw error
        })
      }
    },
  ),
  remote(
    pausedAcquire,
    'waits for the storage whatever the signal',
    class extends RemoteLocker {
      override acquire(id: string, options: AcquireOptions) {
        return super.acquire(id, { ...options, signal: never })
      }
    },
  ),
  remote(
    pausedSettle,
    'waits in settle for the storage whatever the signal',
    class extends RemoteLocker {
      override settle(id: string) {
        return super.settle(id, { signal: never })
      }
    },
  ),
  remote(pausedSettle, 'takes a lock for free that it has asked about for too long', SettlesFree),
  remote(
    heldSettle,
    'takes a cut connection for a free lock',
    class extends RemoteLocker {
      override settle(id: string, options: ReadOptions) {
        return super.settle(id, options).catch((error: unknown) => {
          if (causeOf(error)?.code === 'ECONNRESET') return 'free' as const
          throw error
        })
      }
    },
  ),
  remote(tokens, 'counts tokens in the memory of the server, which restarts', CountsInMemory),
  remote(
    faultyAcquire,
    'has no lease, so a lock whose holder does not know of it stays',
    class extends RemoteLocker {
      override takeRow(row: LockRow, holder: string): LockRow {
        return { ...super.takeRow(row, holder), until: Number.MAX_SAFE_INTEGER }
      }
    },
  ),
  remote(
    faultyAcquire,
    'takes a cut connection for a success in acquire',
    class extends RemoteLocker {
      override acquire(id: string, options: AcquireOptions) {
        return super.acquire(id, options).catch((error: unknown) => {
          if (causeOf(error)?.code !== 'ECONNRESET') throw error
          return new MemoryLocker().acquire(id, options)
        })
      }
    },
  ),
  remote(faultyAcquire, 'keeps its turn when the storage fails', KeepsTurns),
  remote(releasing, 'renews a lock until its release has succeeded', freesFirst),
  remote(
    releasing,
    'waits in release for the response of a lost connection',
    giving((lock) => ({ release: () => lock.release().catch(() => new Promise<never>(() => {})) })),
  ),
]
