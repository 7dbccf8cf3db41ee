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
import { checkOptions } from 'tuskit/store-kit'
import type { Changes } from './database.js'
import { duplicateEntry, errorNumber } from './mysql-error.js'
import { tablesOf } from './schema.js'
import { sharedRules, Tables, type MysqlPartOptions } from './shared-options.js'

/** Options of {@link MysqlInfoStore}. */
export type MysqlInfoStoreOptions = MysqlPartOptions

/** How many ids are read at once. */
const pageSize = 1_000

/**
 * Keeps the records of uploads in MySQL or MariaDB, one row for each. Any number of processes on
 * any number of machines can share the tables. Each call is one statement.
 */
export class MysqlInfoStore implements InfoStore, ExpiryIndex, InfoLister, Lifecycle {
  readonly #tables: Tables
  readonly #table: string

  constructor(options: MysqlInfoStoreOptions) {
    this.#tables = new Tables(checkOptions('MysqlInfoStore', options, sharedRules))
    this.#table = tablesOf(this.#tables.prefix).uploads
  }

  /** Fills the slots for records, their expiry, their list and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this).useLifecycle(this)
  }

  /** Checks the connection, and creates the tables unless `schema` is `check`. */
  open(): Promise<void> {
    return this.#tables.open()
  }

  async close(): Promise<void> {}

  /** Creates the tables that are missing. Several processes may call it at the same time. */
  ensureSchema(): Promise<void> {
    return this.#tables.ensureSchema()
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const { id, revision } = upload
    const sql = `INSERT INTO ${this.#table} (id, revision, record, expires_at)
      VALUES (?, ?, ${asItIs('?')}, ?)`
    const values = [id, revision, textOf(upload), expiryOf(upload)]
    try {
      await this.#tables.database.run(signal, sql, ...values)
    } catch (error) {
      throw errorNumber(error) === duplicateEntry ? new TusError('ERR_ID_TAKEN') : error
    }
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    const sql = `SELECT ${asItIs('record')} AS record FROM ${this.#table} WHERE id = ?`
    const [row] = await this.#tables.database.run<{ record: Buffer }[]>(signal, sql, id)
    return row && uploadOf(row.record.toString())
  }

  /** Leaves a record that is no JSON as it is. */
  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const { id, revision } = upload
    const sql = `UPDATE ${this.#table} SET revision = ?, record = ${asItIs('?')}, expires_at = ?
      WHERE id = ? AND revision = ? AND JSON_VALID(record)`
    const values = [revision, textOf(upload), expiryOf(upload), id, revision - 1]
    const { affectedRows } = await this.#tables.database.run<Changes>(signal, sql, ...values)
    if (affectedRows !== 1) throw new TusError('ERR_INFO_CONFLICT')
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    await this.#tables.database.run(signal, `DELETE FROM ${this.#table} WHERE id = ?`, id)
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    const sql = `SELECT id, expires_at FROM ${this.#table}
      WHERE expires_at BETWEEN ? AND ? AND (expires_at > ? OR id > ?)
      ORDER BY expires_at, id LIMIT ${pageSize}`
    for (let [from, after] = [Number.MIN_SAFE_INTEGER, '']; ;) {
      const values = [from, now.getTime(), from, after]
      const page = await this.#tables.database.run<Row[]>(signal, sql, ...values)
      for (const { id } of page) yield id
      const last = page.at(-1)
      if (last === undefined) return
      ;[from, after] = [last.expires_at, last.id]
    }
  }

  async *ids({ after = '', signal }: ListOptions): AsyncGenerator<string> {
    const sql = `SELECT id FROM ${this.#table} WHERE id > ? ORDER BY id LIMIT ${pageSize}`
    for (let last: string | undefined = after; last !== undefined;) {
      const page: Row[] = await this.#tables.database.run<Row[]>(signal, sql, last)
      for (const { id } of page) yield id
      last = page.at(-1)?.id
    }
  }
}

interface Row {
  readonly id: string
  readonly expires_at: number
}

/** Keeps the server from converting a text to another character set, or from one. */
function asItIs(text: string): string {
  return `CAST(${text} AS BINARY)`
}

/** Returns a record as JSON in ASCII, whose bytes are the same in other character sets. */
function textOf(upload: Upload): string {
  const text = serializeUpload(upload)
  // The server takes halves of characters for no JSON. JSON.stringify escapes them.
  if (/\\ud[89a-f]/.test(text)) {
    return JSON.stringify({ base64: Buffer.from(text).toString('base64') })
  }
  return text.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function uploadOf(text: string): Upload {
  const [, base64] = /^\{"base64":"(.*)"\}$/.exec(text) ?? []
  return parseUpload(base64 === undefined ? text : Buffer.from(base64, 'base64').toString())
}

/** Returns when the record expires, in milliseconds since 1970. */
function expiryOf({ expiresAt }: Upload): number | null {
  return expiresAt === undefined ? null : Date.parse(expiresAt)
}
