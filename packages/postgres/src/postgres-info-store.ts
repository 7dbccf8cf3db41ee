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
import { Database } from './database.js'
import { checkSchema, ensureSchema, type Schema } from './schema.js'
import { sharedRules, type PostgresPartOptions } from './shared-options.js'
import { tablesOf } from './tables.js'
import { uploadsSchema } from './uploads-schema.js'

/** Options of {@link PostgresInfoStore}. */
export interface PostgresInfoStoreOptions extends PostgresPartOptions {}

/** How many ids are read at once. */
const pageSize = 500

/** Keeps the records of uploads in a table of PostgreSQL. */
export class PostgresInfoStore implements InfoStore, ExpiryIndex, InfoLister, Lifecycle {
  readonly #database: Database
  readonly #schema: Schema
  readonly #onlyChecks: boolean
  readonly #table: string

  constructor(options: PostgresInfoStoreOptions) {
    const checked = checkOptions<PostgresInfoStoreOptions>(
      'PostgresInfoStore',
      options,
      sharedRules,
    )
    const { pool, tablePrefix = 'tuskit_', schema } = checked
    const tables = tablesOf(tablePrefix)
    this.#database = new Database(pool)
    this.#schema = uploadsSchema(tables)
    this.#onlyChecks = schema === 'check'
    this.#table = tables.uploads
  }

  /** Fills the slots for records, their expiry, their list and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this).useLifecycle(this)
  }

  /** Creates the tables, or with `schema: 'check'` only looks whether they are there. */
  async open(): Promise<void> {
    if (this.#onlyChecks) await checkSchema(this.#database, this.#schema)
    else await this.ensureSchema()
  }

  /** Does nothing: the pool is yours. */
  async close(): Promise<void> {}

  /**
   * Creates the table of the records, or changes that of an earlier release. Needs a role that may
   * create tables. Several processes can call it at the same time.
   *
   * Rejects if a later release has changed the table in a way that this one cannot use.
   */
  ensureSchema(): Promise<void> {
    return ensureSchema(this.#database, this.#schema)
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const values = valuesOf(upload)
    const { rows, isRepeated } = await this.#database.change(
      [
        `INSERT INTO ${this.#table} (id, revision, record, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO NOTHING RETURNING id`,
        values,
      ],
      signal,
    )
    if (rows.length === 1 || (isRepeated && (await this.#isStored(values, signal)))) return
    throw new TusError('ERR_ID_TAKEN')
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    const select = `SELECT coalesce(record->>'base64', record::text) AS text FROM ${this.#table}`
    const [row] = await this.#database.read([`${select} WHERE id = $1`, [id]], signal)
    return row && parseRecord(String(row.text))
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const values = valuesOf(upload)
    // A record whose own revision is missing or different is damaged, and must not be replaced.
    const { rows, isRepeated } = await this.#database.change(
      [
        `UPDATE ${this.#table} SET revision = $2, record = $3, expires_at = $4
         WHERE id = $1 AND revision = $2::bigint - 1 AND record->'revision' = to_jsonb(revision)
         RETURNING id`,
        values,
      ],
      signal,
    )
    if (rows.length === 1 || (isRepeated && (await this.#isStored(values, signal)))) return
    throw new TusError('ERR_INFO_CONFLICT')
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    await this.#database.change([`DELETE FROM ${this.#table} WHERE id = $1`, [id]], signal)
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    const select = `SELECT id, to_char(expires_at AT TIME ZONE 'UTC', '${timeFormat}') AS at
      FROM ${this.#table} WHERE expires_at <= $1 AND (expires_at, id) > ($2::timestamptz, $3)
      ORDER BY expires_at, id LIMIT ${pageSize}`
    for (let [at, id] = ['-infinity', '']; ;) {
      const page = await this.#database.read([select, [timeOf(+now), at, id]], signal)
      for (const row of page) {
        ;[at, id] = [String(row.at), String(row.id)]
        yield id
      }
      if (page.length < pageSize) return
    }
  }

  async *ids({ after = '', signal }: ListOptions): AsyncGenerator<string> {
    const select = `SELECT id FROM ${this.#table} WHERE id > $1 ORDER BY id LIMIT ${pageSize}`
    for (let id = after; ;) {
      const page = await this.#database.read([select, [id]], signal)
      for (const row of page) yield (id = String(row.id))
      if (page.length < pageSize) return
    }
  }

  /** Returns whether a change has been made whose response was lost. */
  async #isStored(values: Values, signal: AbortSignal): Promise<boolean> {
    const [id, revision, record] = values
    const where = 'WHERE id = $1 AND revision = $2 AND record = $3::jsonb'
    const statement = `SELECT id FROM ${this.#table} ${where}`
    return (await this.#database.read([statement, [id, revision, record]], signal)).length === 1
  }
}

type Values = readonly [id: string, revision: number, record: string, expiresAt: string | null]

/** Returns the columns of a record. */
function valuesOf(upload: Upload): Values {
  const { id, revision, expiresAt } = upload
  const text = serializeUpload(upload)
  // jsonb has neither the character 0 nor halves of characters. JSON.stringify escapes both.
  const isStorable = !/\\u(0000|d[89a-f])/.test(text)
  const base64 = () => JSON.stringify({ revision, base64: Buffer.from(text).toString('base64') })
  const expiry = expiresAt === undefined ? null : timeOf(Date.parse(expiresAt))
  return [id, revision, isStorable ? text : base64(), expiry]
}

function parseRecord(text: string): Upload {
  // Anything else than an object is base64, or damaged.
  return parseUpload(text.startsWith('{') ? text : Buffer.from(text, 'base64').toString())
}

const timeFormat = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

const [firstTime, lastTime] = [
  Date.parse('0001-01-01T00:00:00.000Z'),
  Date.parse('9999-12-31T23:59:59.999Z'),
]

/** Returns a time as PostgreSQL reads it: it writes years of other lengths differently. */
function timeOf(milliseconds: number): string {
  return new Date(Math.min(Math.max(milliseconds, firstTime), lastTime)).toISOString()
}
