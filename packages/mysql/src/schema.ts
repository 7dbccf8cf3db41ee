import { createHash } from 'node:crypto'
import type { Database, Run } from './database.js'
import { errorNumber, noSuchTable, notPermitted } from './mysql-error.js'

/** The version of the tables. It grows with each change. */
const version = 1

/** Seconds for which another process may create the tables. */
const patience = 60

/** Returns the names of the tables. */
export function tablesOf(prefix: string) {
  return { schema: `${prefix}schema`, uploads: `${prefix}uploads`, locks: `${prefix}locks` }
}

const options = 'ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
const id = 'VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL'

/**
 * `record` is no JSON column: MySQL would change the order of its members. Tokens of locks grow for
 * ever: the server keeps the next one when it restarts. `oldest` is the first version of the tables
 * whose code may use them: a later version can add a column, and leave it as it is.
 */
function statements(prefix: string): readonly string[] {
  const { schema, uploads, locks } = tablesOf(prefix)
  return [
    `CREATE TABLE IF NOT EXISTS ${uploads} (
      id ${id} PRIMARY KEY,
      revision BIGINT NOT NULL,
      record LONGTEXT NOT NULL,
      expires_at BIGINT,
      KEY expires_at (expires_at, id)
    ) ${options}`,
    `CREATE TABLE IF NOT EXISTS ${locks} (
      id ${id} PRIMARY KEY,
      token BIGINT NOT NULL AUTO_INCREMENT,
      caller VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      ends_at BIGINT NOT NULL,
      forced TINYINT NOT NULL DEFAULT 0,
      writers INT NOT NULL DEFAULT 0,
      readers INT NOT NULL DEFAULT 0,
      declined INT NOT NULL DEFAULT 0,
      UNIQUE KEY token (token)
    ) ${options}`,
    `CREATE TABLE IF NOT EXISTS ${schema} (
      version INT NOT NULL PRIMARY KEY,
      oldest INT NOT NULL
    ) ${options}`,
    `INSERT IGNORE INTO ${schema} (version, oldest) VALUES (${version}, ${version})`,
  ]
}

/** Creates the tables that are missing. Processes that do it at the same time take turns. */
export async function ensureSchema(
  database: Database,
  prefix: string,
  signal: AbortSignal,
): Promise<void> {
  if (await hasTables(database, prefix, signal)) return
  const creation = database.use(signal, async (run) => {
    const name = await lockName(run, prefix)
    const [row] = await run<{ got: number | null }[]>(
      'SELECT GET_LOCK(?, ?) AS got',
      name,
      patience,
    )
    if (row!.got !== 1) throw new Error('Another process has been creating tables too long')
    try {
      for (const sql of statements(prefix)) await run(sql)
    } finally {
      await run('DO RELEASE_LOCK(?)', name)
    }
  })
  await creation.catch((cause: Error) => {
    if (errorNumber(cause.cause) !== notPermitted) throw cause
    const advice = 'let another user call ensureSchema(), or run the SQL of the README'
    throw new Error(`This user may not create the tables ${prefix}…; ${advice}`, { cause })
  })
  await hasTables(database, prefix, signal)
}

/** Throws if the tables are missing. */
export async function checkSchema(
  database: Database,
  prefix: string,
  signal: AbortSignal,
): Promise<void> {
  if (await hasTables(database, prefix, signal)) return
  const advice = 'call ensureSchema() once, or run the SQL of the README'
  throw new Error(`The database has no tables ${prefix}…; ${advice}`)
}

/** Returns whether there are tables. Throws if this version of the package must not use them. */
async function hasTables(
  database: Database,
  prefix: string,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await database.use(signal, async (run) => {
    const sql = `SELECT version, oldest FROM ${tablesOf(prefix).schema} ORDER BY version DESC`
    return run<{ version: number; oldest: number }[]>(sql).catch((error: unknown) => {
      if (errorNumber(error) === noSuchTable) return []
      throw error
    })
  })
  const [row] = found
  if (row === undefined) return false
  if (row.oldest <= version) return true
  throw new Error(
    `The tables ${prefix}… have version ${row.version}, which a later version of @tuskit/mysql ` +
      `made; this one knows version ${version}`,
  )
}

/** Such locks belong to the whole server, and their names have at most 64 characters. */
async function lockName(run: Run, prefix: string): Promise<string> {
  const [row] = await run<{ name: string }[]>('SELECT DATABASE() AS name')
  return createHash('sha256').update(`tuskit ${row!.name}.${prefix}`).digest('hex')
}
