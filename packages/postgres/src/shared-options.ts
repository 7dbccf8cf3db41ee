import { must } from 'tuskit/store-kit'
import type { PostgresPool } from './postgres-pool.js'
import { beTablePrefix } from './tables.js'

/** Options that records and locks share. */
export interface PostgresPartOptions {
  /** A `Pool` of pg. It is never ended here. Required. */
  readonly pool: PostgresPool
  /**
   * The beginning of the names of tables. It may name a schema: `app.tuskit_`.
   *
   * @default 'tuskit_'
   */
  readonly tablePrefix?: string
  /**
   * `ensure`: `open` creates the tables, or changes those of an earlier release. `check`: it
   * rejects if they are missing or too old, for roles that may not create tables.
   *
   * @default 'ensure'
   */
  readonly schema?: 'ensure' | 'check'
}

export const sharedRules = {
  pool: { ...must.beObject, required: true },
  tablePrefix: beTablePrefix,
  schema: must.beOneOf('ensure', 'check'),
}
