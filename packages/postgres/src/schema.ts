import type { Database, Query } from './database.js'
import { sqlStateOf } from './postgres-error.js'
import type { Tables } from './tables.js'

/** The tables of an info store or a locker. */
export interface Schema {
  /** The class that uses them, for errors. */
  readonly owner: string
  /** Its name in the table of versions. */
  readonly part: 'uploads' | 'locks'
  readonly tables: Tables
  /** The statements that lead from each version to the next, up to that of this code. */
  readonly steps: readonly string[]
  /** The oldest version of the code that can use the tables of this version. */
  readonly oldest: number
}

/** A version of the tables. */
interface Version {
  readonly version: number
  readonly oldest: number
}

/** The key of the lock that lets one process at a time change tables: the bytes of "tuskit". */
const lockKey = '128034676537716'

/** Creates the tables, or changes those of an earlier version, unless there is nothing to do. */
export async function ensureSchema(database: Database, schema: Schema): Promise<void> {
  const { owner, part, tables, steps, oldest } = schema
  try {
    // Roles that may not create tables can do this much.
    if (await isCurrent(database, schema)) return
    await database.transaction(async (query) => {
      await query(`SELECT pg_advisory_xact_lock(${lockKey})`)
      await query(versionsTable(tables))
      const found = await versionIn(query, schema)
      assertUsable(schema, found)
      for (const step of steps.slice(found?.version ?? 0)) await query(step)
      if ((found?.version ?? 0) >= steps.length) return
      await query(
        `INSERT INTO ${tables.versions} AS v (part, version, oldest) VALUES ($1, $2, $3)
         ON CONFLICT (part) DO UPDATE SET version = $2, oldest = $3`,
        [part, steps.length, oldest],
      )
    })
  } catch (error) {
    if (sqlStateOf((error as Error).cause) !== '42501') throw error
    const advice = 'let a role that may create them do so, and give this one rights to use them'
    throw new Error(`${owner}: this role may not create or read the tables; ${advice}`, {
      cause: error,
    })
  }
}

/** Rejects unless the tables are there and have the version of this code, or a compatible one. */
export async function checkSchema(database: Database, schema: Schema): Promise<void> {
  if (await isCurrent(database, schema)) return
  const { owner, tables, part } = schema
  const advice =
    'call ensureSchema() with a role that may create tables, or run the SQL of the README'
  throw new Error(`${owner}: the table ${tables[part]} is missing or too old; ${advice}`)
}

/** Returns the statement that creates the table of versions. */
export function versionsTable({ versions }: Tables): string {
  return `CREATE TABLE IF NOT EXISTS ${versions} (
    part text PRIMARY KEY,
    version integer NOT NULL,
    oldest integer NOT NULL
  )`
}

async function isCurrent(database: Database, schema: Schema): Promise<boolean> {
  const found = await database.transaction((query) => versionIn(query, schema))
  assertUsable(schema, found)
  return found !== undefined && found.version >= schema.steps.length
}

async function versionIn(
  query: Query,
  { owner, part, tables }: Schema,
): Promise<Version | undefined> {
  const [settings] = await query(
    `SELECT to_regclass($1) IS NOT NULL AS exists, current_setting('server_encoding') AS encoding`,
    [tables.versions],
  )
  const { exists, encoding } = settings!
  if (encoding !== 'UTF8') {
    throw new Error(`${owner}: the encoding of the database must be UTF8, not ${String(encoding)}`)
  }
  if (exists !== true) return undefined
  const select = `SELECT version, oldest FROM ${tables.versions} WHERE part = $1`
  const [found] = await query(select, [part])
  return found && { version: Number(found.version), oldest: Number(found.oldest) }
}

function assertUsable({ owner, part, tables, steps }: Schema, found: Version | undefined): void {
  if (found === undefined || found.oldest <= steps.length) return
  const needed = `version ${found.oldest}, and this release knows ${steps.length}`
  throw new Error(
    `${owner}: a later release has changed ${tables[part]}: it needs ${needed}; update`,
  )
}
