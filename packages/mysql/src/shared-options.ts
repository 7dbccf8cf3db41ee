import { must, translated } from 'tuskit/store-kit'
import { Database } from './database.js'
import type { MysqlPool } from './mysql-pool.js'
import { checkSchema, ensureSchema } from './schema.js'

/** Options of the records and of the locks. */
export interface MysqlPartOptions {
  /**
   * A pool of `mysql2/promise`, with its host, database, user and limits. It stays yours: nothing
   * here ends it.
   */
  readonly pool: MysqlPool
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
}

export const sharedRules = {
  pool: { expectation: 'a pool of mysql2/promise', accepts: isPool, required: true },
  tablePrefix: {
    expectation: 'a string of at most 40 letters, digits and underscores that begins with no digit',
    accepts: (v: unknown) => typeof v === 'string' && /^[a-z_]\w{0,39}$/i.test(v),
  },
  schema: must.beOneOf('ensure', 'check'),
}

function isPool(value: unknown): boolean {
  return typeof (value as Partial<MysqlPool> | null)?.getConnection === 'function'
}

/**
 * Milliseconds after which a call without a signal gives up. A connection that the network has
 * forgotten would keep it for a quarter of an hour.
 */
export const patience = 120_000

/** The part of records and locks that is the same. */
export class Tables {
  readonly database: Database
  readonly prefix: string
  readonly #schema: 'ensure' | 'check'

  constructor({ pool, tablePrefix = 'tuskit_', schema = 'ensure' }: MysqlPartOptions) {
    this.database = new Database(pool)
    this.prefix = tablePrefix
    this.#schema = schema
  }

  /** Checks that the database can be used, and that it has the tables. */
  open(): Promise<void> {
    return translated(this.#open(AbortSignal.timeout(patience)))
  }

  ensureSchema(): Promise<void> {
    return translated(ensureSchema(this.database, this.prefix, AbortSignal.timeout(patience)))
  }

  async #open(signal: AbortSignal): Promise<void> {
    const sql = 'SELECT @@autocommit AS autocommit'
    const [row] = await this.database.run<{ autocommit: number }[]>(signal, sql)
    if (row!.autocommit !== 1) {
      throw new Error(
        'The connections of the pool must have autocommit, or nothing would be stored',
      )
    }
    const prepare = this.#schema === 'check' ? checkSchema : ensureSchema
    await prepare(this.database, this.prefix, signal)
  }
}
