import type { AcquireOptions, Lifecycle, Lock, Locker, ReadOptions, StoreComposer } from 'tuskit'
import { checkOptions, LeaseLocker, must } from 'tuskit/store-kit'
import { Database } from './database/database.js'
import { RedisLocks } from './locks/redis-locks.js'
import { defaults, sharedRules, type RedisPartOptions } from './shared-options.js'

/** Options of {@link RedisLocker}. */
export interface RedisLockerOptions extends RedisPartOptions {
  /**
   * Milliseconds after which a holder that does not renew its lock loses it. It must be the same in
   * all processes. A holder renews its lock three times in that time. An upload stays locked for
   * this time after its process was killed.
   *
   * @default 10000
   */
  readonly lease?: number
  /**
   * Milliseconds after which those who wait for a lock look at it, in case a message of Redis was
   * lost. Usually a message wakes them at once.
   *
   * @default 1000
   */
  readonly pollInterval?: number
}

/**
 * Locks for any number of processes that share a Redis or Valkey. Those that wait get the lock in
 * the order in which they came, also across processes. Messages of Redis wake them, and holders,
 * over a second connection.
 *
 * Leases end by the clock of the server. When Redis fails over to a replica, a lock can have two
 * holders for up to a lease, of which the later one has the higher token: see `Fence`.
 */
export class RedisLocker implements Locker, Lifecycle {
  readonly #database: Database
  readonly #locks: RedisLocks
  readonly #locker: LeaseLocker

  constructor(options: RedisLockerOptions) {
    const checked = checkOptions<RedisLockerOptions>('RedisLocker', options, {
      ...sharedRules,
      lease: must.beMilliseconds,
      pollInterval: must.beMilliseconds,
    })
    const { client, prefix, timeout, pollInterval = 1_000 } = { ...defaults, ...checked }
    // Keys expire after whole milliseconds.
    const lease = Math.ceil(checked.lease ?? 10_000)
    this.#database = new Database(client, prefix, timeout)
    this.#locks = new RedisLocks(this.#database, lease)
    this.#locker = new LeaseLocker({ locks: this.#locks, lease, pollInterval })
  }

  /** Fills the slots for locks and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useLocker(this).useLifecycle(this)
  }

  /** Checks that Redis can be reached and does not evict locks, and connects for messages. */
  async open(): Promise<void> {
    await this.#database.check('RedisLocker', /^(allkeys|volatile)-/)
    await this.#locks.listen()
  }

  async close(): Promise<void> {
    this.#locks.stopListening()
  }

  acquire(id: string, options: AcquireOptions): Promise<Lock> {
    return this.#locker.acquire(id, options)
  }

  settle(id: string, options: ReadOptions): Promise<'free' | 'held'> {
    return this.#locker.settle(id, options)
  }
}
