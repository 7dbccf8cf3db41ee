import type { AcquireOptions, Lifecycle, Lock, Locker, ReadOptions, StoreComposer } from 'tuskit'
import { checkOptions, LeaseLocker, must } from 'tuskit/store-kit'
import { MysqlLocks } from './mysql-locks.js'
import { tablesOf } from './schema.js'
import { patience, sharedRules, Tables, type MysqlPartOptions } from './shared-options.js'

/** Options of {@link MysqlLocker}. */
export interface MysqlLockerOptions extends MysqlPartOptions {
  /**
   * Milliseconds after which a holder that does not renew its lock loses it. It must be the same in
   * all processes. An upload stays locked for this time after its process was killed.
   *
   * @default 10000
   */
  readonly lease?: number
  /**
   * Milliseconds after which a holder looks for requests of other processes, and a process that
   * waits looks whether the lock is free. A lock changes hands within two of them.
   *
   * @default 1000
   */
  readonly pollInterval?: number
}

/** Milliseconds between two removals of unused rows. */
const pruneInterval = 3_600_000

/**
 * Locks for any number of processes that share a database: first come, first served within a
 * process, and in no particular order between them. A lock that nobody else wants costs one
 * statement to take and one to release.
 *
 * Each lock is a row with the time at which its lease ends, by the clock of the server. There are
 * no messages between processes, so requests are noticed within `pollInterval`.
 */
export class MysqlLocker implements Locker, Lifecycle {
  readonly #tables: Tables
  readonly #locks: MysqlLocks
  readonly #locker: LeaseLocker
  #timer: NodeJS.Timeout | undefined

  constructor(options: MysqlLockerOptions) {
    const checked = checkOptions<MysqlLockerOptions>('MysqlLocker', options, {
      ...sharedRules,
      lease: must.beMilliseconds,
      pollInterval: must.beMilliseconds,
    })
    const { lease = 10_000, pollInterval = 1_000 } = checked
    this.#tables = new Tables(checked)
    const { database, prefix } = this.#tables
    this.#locks = new MysqlLocks(database, tablesOf(prefix).locks, lease)
    this.#locker = new LeaseLocker({ locks: this.#locks, lease, pollInterval })
  }

  /** Fills the slots for locks and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useLocker(this).useLifecycle(this)
  }

  /** Checks the connection, and creates the tables unless `schema` is `check`. */
  async open(): Promise<void> {
    await this.#tables.open()
    const prune = () => {
      this.#locks.prune({ signal: AbortSignal.timeout(patience) }).catch(() => {})
    }
    this.#timer = setInterval(prune, pruneInterval).unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
  }

  /** Creates the tables that are missing. Several processes may call it at the same time. */
  ensureSchema(): Promise<void> {
    return this.#tables.ensureSchema()
  }

  acquire(id: string, options: AcquireOptions): Promise<Lock> {
    return this.#locker.acquire(id, options)
  }

  settle(id: string, options: ReadOptions): Promise<'free' | 'held'> {
    return this.#locker.settle(id, options)
  }
}
