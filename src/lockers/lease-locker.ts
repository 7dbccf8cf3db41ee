import { randomUUID } from 'node:crypto'
import type { ReadOptions } from '../capabilities/call-options.js'
import type { AcquireOptions, Lock, Locker } from '../capabilities/locker.js'
import { checkOptions, must } from '../check-options.js'
import { TusError } from '../errors.js'
import { isUploadId } from '../upload.js'
import { Alarm } from './alarm.js'
import { LeaseLock, type LeaseLockParts } from './lease-lock.js'
import { MemoryLocker } from './memory-locker.js'
import type { SharedLocks } from './shared-locks.js'

/** Options of {@link LeaseLocker}. */
export interface LeaseLockerOptions {
  readonly locks: SharedLocks
  /** Milliseconds after which a holder that does not renew its lock loses it. */
  readonly lease: number
  /**
   * Milliseconds after which a change of a lock is noticed at the latest, by those who wait for it,
   * and by holders if the storage cannot wake them.
   */
  readonly pollInterval: number
}

const rules = {
  locks: { ...must.beObject, required: true },
  lease: { ...must.beMilliseconds, required: true },
  pollInterval: { ...must.beMilliseconds, required: true },
}

/**
 * A locker over the locks of a storage that several processes share. It takes care of what has
 * nothing to do with the storage: callers of one process wait in order, and only the first of them
 * waits in the storage; holders renew their leases, and respond to requests of other processes.
 *
 * @example
 * class DatabaseLocker implements Locker {
 *   readonly #locker: LeaseLocker
 *
 *   constructor({ client, lease = 10_000 }: DatabaseLockerOptions) {
 *     const locks = new DatabaseLocks(client, lease)
 *     this.#locker = new LeaseLocker({ locks, lease, pollInterval: 1_000 })
 *   }
 *
 *   acquire(id: string, options: AcquireOptions) {
 *     return this.#locker.acquire(id, options)
 *   }
 *
 *   settle(id: string, options: ReadOptions) {
 *     return this.#locker.settle(id, options)
 *   }
 * }
 */
export class LeaseLocker implements Locker {
  readonly #options: LeaseLockerOptions
  /** The callers of this process. */
  readonly #turns = new MemoryLocker()
  /** The ids of the locks that this process holds. */
  readonly #held = new Set<string>()

  constructor(options: LeaseLockerOptions) {
    this.#options = checkOptions<LeaseLockerOptions>('LeaseLocker', options, rules)
  }

  async acquire(id: string, { signal, requestRelease }: AcquireOptions): Promise<Lock> {
    assertId(id)
    let askedEarly = false
    const turn = await this.#turns.acquire(id, {
      signal,
      requestRelease: (requester) => {
        if (this.#held.has(id)) return requestRelease(requester)
        askedEarly ||= requester === 'writer'
        return requester === 'writer'
      },
    })
    try {
      const acquired = await this.#take(id, signal)
      this.#held.add(id)
      const lock = new LeaseLock({
        ...this.#options,
        ...acquired,
        id,
        requestRelease,
        onRelease: async () => {
          this.#held.delete(id)
          await turn.release()
        },
      })
      if (askedEarly) {
        setImmediate(() => {
          if (lock.held()) void requestRelease('writer')
        })
      }
      return lock
    } catch (error) {
      await turn.release()
      throw error
    }
  }

  async settle(id: string, { signal }: ReadOptions): Promise<'free' | 'held'> {
    assertId(id)
    signal.throwIfAborted()
    if (this.#held.has(id) && (await this.#turns.settle(id, { signal })) === 'held') return 'held'
    const { locks, pollInterval } = this.#options
    // Before the first look, so that no change is missed.
    const alarm = new Alarm((wake) => locks.watch?.(id, wake))
    let asked: { readonly token: number; readonly request: number } | undefined
    try {
      for (;;) {
        const lock = await locks.look(id, { signal })
        if (lock === undefined) return 'free'
        const { token, declined, left } = lock
        if (token !== asked?.token) {
          const request = await locks.ask(id, token, 'reader', { signal })
          if (request === undefined) continue
          asked = { token, request }
        } else if (declined >= asked.request) return 'held'
        await alarm.next(Math.min(pollInterval, left), signal)
      }
    } finally {
      alarm.close()
    }
  }

  /** Waits until the lock is free in the storage, and asks each holder to release it. */
  async #take(
    id: string,
    signal: AbortSignal,
  ): Promise<Pick<LeaseLockParts, 'lock' | 'sentAt' | 'changed'>> {
    const { locks, lease, pollInterval } = this.#options
    const caller = randomUUID()
    // From the first call on: a message to the holder can overtake the response that makes it one.
    const alarm = new Alarm((wake) => locks.watch?.(id, wake))
    let asked: number | undefined
    try {
      for (;;) {
        const sentAt = performance.now()
        const lock = await locks.take(id, caller, { signal })
        if (lock.is === 'taken') return { lock, sentAt, changed: alarm.changed }
        if (lock.is === 'held' && asked !== lock.token) {
          if ((await locks.ask(id, lock.token, 'writer', { signal })) === undefined) continue
          asked = lock.token
        }
        await alarm.next(Math.min(pollInterval, lock.left), signal)
      }
    } catch (error) {
      // The storage may have given it the lock nevertheless.
      const limit = AbortSignal.timeout(Math.ceil(lease))
      locks.leave?.(id, caller, { signal: limit }).catch(() => {})
      throw error
    } finally {
      alarm.close()
    }
  }
}

function assertId(id: string): void {
  if (!isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
}
