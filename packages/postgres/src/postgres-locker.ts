import type { AcquireOptions, Lifecycle, Lock, Locker, ReadOptions, StoreComposer } from 'tuskit'
import { checkOptions, LeaseLocker, must, unlessAborted } from 'tuskit/store-kit'
import { Database, giveBack } from './database.js'
import { locksSchema } from './locks/locks-schema.js'
import type { OwnConnection } from './locks/listening-connection.js'
import { Notifications } from './locks/notifications.js'
import { PostgresLocks } from './locks/postgres-locks.js'
import { postgresError } from './postgres-error.js'
import type { PostgresListener } from './postgres-pool.js'
import { checkSchema, ensureSchema, type Schema } from './schema.js'
import { sharedRules, type PostgresPartOptions } from './shared-options.js'
import { tablesOf } from './tables.js'

/** Options of {@link PostgresLocker}. */
export interface PostgresLockerOptions extends PostgresPartOptions {
  /**
   * Milliseconds after which a holder that does not renew its lock loses it. It must be the same in
   * all processes. A holder renews its lock three times in that time. An upload stays locked for
   * this time after its process was killed.
   *
   * @default 10000
   */
  readonly lease?: number
  /**
   * Milliseconds after which a process that waits for a lock looks at it again, if no notification
   * came before. Without notifications, holders look for requests as often.
   *
   * @default 1000
   */
  readonly pollInterval?: number
  /**
   * Whether processes notify each other through `LISTEN` and `NOTIFY`, so that a lock changes hands
   * at once. One connection listens.
   *
   * @default true
   */
  readonly notifications?: boolean
  /**
   * Returns a new client that is not connected, for the connection that listens. It is called again
   * whenever that connection is lost. You need it if the pool connects through PgBouncer in
   * transaction mode, where nothing can listen.
   *
   * @default the connection is taken from the pool
   *
   * @example
   * listener: () => new pg.Client({ host: 'db', keepAlive: true })
   */
  readonly listener?: () => PostgresListener
}

/** Milliseconds between two removals of unused locks. */
const pruneInterval = 60_000

/**
 * Locks for any number of processes that share a database: first come, first served within a
 * process, and in no particular order between them.
 *
 * Each lock is a row of a table, and each step is one statement, so a lock that is held needs no
 * connection. Leases end by the clock of the server.
 */
export class PostgresLocker implements Locker, Lifecycle {
  readonly #database: Database
  readonly #schema: Schema
  readonly #onlyChecks: boolean
  readonly #notifications: Notifications | undefined
  readonly #locks: PostgresLocks
  readonly #locker: LeaseLocker
  #timer: NodeJS.Timeout | undefined

  constructor(options: PostgresLockerOptions) {
    const checked = checkOptions<PostgresLockerOptions>('PostgresLocker', options, {
      ...sharedRules,
      lease: must.beMilliseconds,
      pollInterval: must.beMilliseconds,
      notifications: must.beBoolean,
      listener: must.beFunction,
    })
    const { pool, tablePrefix = 'tuskit_', schema, lease = 10_000, pollInterval = 1_000 } = checked
    const { notifications = true, listener } = checked
    const tables = tablesOf(tablePrefix)
    const database = new Database(pool)
    this.#database = database
    this.#schema = locksSchema(tables)
    this.#onlyChecks = schema === 'check'
    if (notifications) {
      this.#notifications = new Notifications(database, tables.channel, (signal) => {
        return listener === undefined ? fromPool(database, signal) : own(listener(), signal)
      })
    }
    const watch = this.#notifications?.watch.bind(this.#notifications)
    this.#locks = new PostgresLocks(database, tables, lease, watch)
    this.#locker = new LeaseLocker({ locks: this.#locks, lease, pollInterval })
  }

  /** Fills the slots for locks and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useLocker(this).useLifecycle(this)
  }

  /**
   * Creates the tables, or with `schema: 'check'` only looks whether they are there, and begins to
   * listen. Rejects if notifications do not arrive.
   */
  async open(): Promise<void> {
    if (this.#onlyChecks) await checkSchema(this.#database, this.#schema)
    else await this.ensureSchema()
    await this.#notifications?.open()
    const prune = () => void this.prune().catch(() => {})
    this.#timer = setInterval(prune, pruneInterval).unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#notifications?.close()
  }

  /**
   * Creates the table of the locks, or changes that of an earlier release. Needs a role that may
   * create tables. Several processes can call it at the same time.
   *
   * Rejects if a later release has changed the table in a way that this one cannot use.
   */
  ensureSchema(): Promise<void> {
    return ensureSchema(this.#database, this.#schema)
  }

  acquire(id: string, options: AcquireOptions): Promise<Lock> {
    return this.#locker.acquire(id, options)
  }

  settle(id: string, options: ReadOptions): Promise<'free' | 'held'> {
    return this.#locker.settle(id, options)
  }

  /**
   * Removes the rows of locks that were released a minute ago, and of those that were left behind a
   * day ago. Each process does that once a minute.
   */
  prune(): Promise<void> {
    return this.#locks.prune({ signal: AbortSignal.timeout(pruneInterval) })
  }
}

async function fromPool(database: Database, signal: AbortSignal): Promise<OwnConnection> {
  const connection = await database.connect(signal)
  return { connection, end: () => giveBack(connection, true) }
}

async function own(connection: PostgresListener, signal: AbortSignal): Promise<OwnConnection> {
  const end = () => connection.end().catch(() => {})
  connection.on('error', () => {})
  try {
    await unlessAborted(signal, connection.connect())
    return { connection, end }
  } catch (error) {
    void end()
    throw postgresError(error)
  }
}
