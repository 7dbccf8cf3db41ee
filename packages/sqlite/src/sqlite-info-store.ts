import { setImmediate } from 'node:timers/promises'
import {
  parseUpload,
  serializeUpload,
  TusError,
  type ChangeOptions,
  type ExpiryIndex,
  type InfoLister,
  type InfoStore,
  type Lifecycle,
  type ListOptions,
  type ReadOptions,
  type StoreComposer,
  type Upload,
} from 'tuskit'
import { checkOptions, must } from 'tuskit/store-kit'
import { DatabaseFile } from './database-file.js'
import { createTables, hasTables } from './schema.js'
import type { Changes, SqliteDatabase } from './sqlite-database.js'
import { Statements } from './statements.js'
import { Transactions } from './transactions.js'
import { useLog } from './use-log.js'
import { whenFree } from './when-free.js'

/** Options of {@link SqliteInfoStore}. */
export interface SqliteInfoStoreOptions {
  /**
   * A connection of its own: a `DatabaseSync` of `node:sqlite` (from Node 22.13), or a `Database`
   * of `better-sqlite3`. Its file is on a local disk. It stays yours: nothing here closes it.
   */
  readonly database: SqliteDatabase
  /**
   * The beginning of the names of tables: letters, digits and underscores.
   *
   * @default 'tuskit_'
   */
  readonly tablePrefix?: string
  /**
   * Whether `open` creates the tables (`ensure`), or fails if they are missing (`check`).
   *
   * @default 'ensure'
   */
  readonly schema?: 'ensure' | 'check'
  /**
   * Milliseconds for which a call waits while another process has the lock of the database. Then it
   * rejects with `ERR_STORAGE_UNAVAILABLE`.
   *
   * @default 5000
   */
  readonly busyTimeout?: number
}

const rules = {
  database: {
    expectation: 'a DatabaseSync of node:sqlite or a Database of better-sqlite3',
    accepts: isDatabase,
    required: true,
  },
  tablePrefix: {
    expectation: 'a string of letters, digits and underscores that begins with no digit',
    accepts: (v: unknown) => typeof v === 'string' && /^[a-z_]\w*$/i.test(v),
  },
  schema: must.beOneOf('ensure', 'check'),
  busyTimeout: must.beTimeout,
}

function isDatabase(value: unknown): boolean {
  const { prepare, exec } = (value ?? {}) as Partial<SqliteDatabase>
  return typeof prepare === 'function' && typeof exec === 'function'
}

/** The parts that `open` makes. */
interface Opened {
  readonly file: DatabaseFile
  readonly statements: Statements
  readonly transactions: Transactions
}

/**
 * Keeps the records of uploads in a SQLite database, one row for each. Several processes on one
 * machine can share its file.
 *
 * Calls run in the event loop: SQLite has no others. Changes that come at the same time are written
 * together, and wait for the disk once.
 */
export class SqliteInfoStore implements InfoStore, ExpiryIndex, InfoLister, Lifecycle {
  readonly #database: SqliteDatabase
  readonly #prefix: string
  readonly #schema: 'ensure' | 'check'
  readonly #busyTimeout: number
  #opened: Opened | undefined

  constructor(options: SqliteInfoStoreOptions) {
    const checked = checkOptions<SqliteInfoStoreOptions>('SqliteInfoStore', options, rules)
    this.#database = checked.database
    this.#prefix = checked.tablePrefix ?? 'tuskit_'
    this.#schema = checked.schema ?? 'ensure'
    this.#busyTimeout = checked.busyTimeout ?? 5_000
  }

  /** Fills the slots for records, their expiry, their list and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this).useLifecycle(this)
  }

  /**
   * Makes changes durable (`synchronous = FULL`), switches the database to a write-ahead log, and
   * creates the tables unless `schema` is `check`. Rejects if the database can have no such log, as
   * one in memory.
   */
  async open(): Promise<void> {
    await this.#whenFree(() => useLog(this.#database))
    if (this.#schema === 'ensure') await this.ensureSchema()
    else if (!(await this.#hasTables())) {
      throw new Error(`The database has no tables ${this.#prefix}…; call ensureSchema() once`)
    }
    // The log is there when something was read.
    const file = await this.#whenFree(() => new DatabaseFile(this.#database))
    const confirm = () => file.confirm()
    const transactions = new Transactions(this.#database, this.#busyTimeout, confirm)
    const statements = new Statements(this.#database, `${this.#prefix}uploads`)
    this.#opened = { file, statements, transactions }
  }

  async close(): Promise<void> {}

  /** Creates the tables that are missing. Several processes may call it at the same time. */
  async ensureSchema(): Promise<void> {
    if (await this.#hasTables()) return
    const { signal } = new AbortController()
    const transactions = new Transactions(this.#database, this.#busyTimeout, () => {})
    await transactions.run(signal, () => createTables(this.#database, this.#prefix))
    await this.#hasTables()
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const values = [upload.id, upload.revision, serializeUpload(upload), expiryOf(upload)] as const
    if (!(await this.#change(signal, ({ create }) => create.run(...values)))) {
      throw new TusError('ERR_ID_TAKEN')
    }
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    signal.throwIfAborted()
    const row = await this.#read(({ get }) => get.get(id) as { record: unknown } | undefined)
    return row && parseUpload(String(row.record))
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const { id, revision } = upload
    const values = [revision, serializeUpload(upload), expiryOf(upload), id, revision - 1] as const
    if (!(await this.#change(signal, ({ update }) => update.run(...values)))) {
      throw new TusError('ERR_INFO_CONFLICT')
    }
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    await this.#change(signal, (statements) => statements.delete.run(id))
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    const first = { id: '', expires_at: Number.MIN_SAFE_INTEGER }
    yield* this.#pages(signal, first, ({ expired }, { id, expires_at }) =>
      expired.all(now.getTime(), expires_at, id),
    )
  }

  async *ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    yield* this.#pages(signal, { id: after ?? '' }, ({ ids }, { id }) => ids.all(id))
  }

  /** Yields the ids of all rows. `next` returns those after a row, or none at the end. */
  async *#pages<Row extends { readonly id: string }>(
    signal: AbortSignal,
    first: Row,
    next: (statements: Statements, last: Row) => unknown[],
  ): AsyncGenerator<string> {
    for (let last: Row | undefined = first; last !== undefined;) {
      signal.throwIfAborted()
      const after: Row = last
      const page = (await this.#read((statements) => next(statements, after))) as Row[]
      for (const { id } of page) yield id
      last = page.at(-1)
      // Requests get their turn between two pages.
      await setImmediate()
    }
  }

  async #read<T>(work: (statements: Statements) => T): Promise<T> {
    const { file, statements } = this.#parts()
    return this.#whenFree(() => {
      file.confirm()
      return work(statements)
    })
  }

  /** Resolves to whether the statement has changed a row. */
  async #change(signal: AbortSignal, work: (statements: Statements) => Changes): Promise<boolean> {
    signal.throwIfAborted()
    const { statements, transactions } = this.#parts()
    return transactions.run(signal, () => Number(work(statements).changes) === 1)
  }

  #parts(): Opened {
    if (this.#opened !== undefined) return this.#opened
    throw new Error('Call open() of SqliteInfoStore first, or let a handler do it')
  }

  #hasTables(): Promise<boolean> {
    return this.#whenFree(() => hasTables(this.#database, this.#prefix))
  }

  #whenFree<T>(work: () => T): Promise<T> {
    return whenFree(work, this.#busyTimeout)
  }
}

/** Returns when the record expires, in milliseconds since 1970. */
function expiryOf({ expiresAt }: Upload): number | null {
  return expiresAt === undefined ? null : Date.parse(expiresAt)
}
