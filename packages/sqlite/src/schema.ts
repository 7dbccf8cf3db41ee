import type { SqliteDatabase } from './sqlite-database.js'

/** The version of the tables. It grows with each change. */
const version = 1

/**
 * Creates the tables. `oldest` is the first version of the tables whose code may use them: a later
 * version can add a column, and leave it as it is.
 *
 * With rows of this size, `WITHOUT ROWID` makes creations and lists slower.
 */
export function createTables(database: SqliteDatabase, prefix: string): void {
  database.exec(`
    CREATE TABLE IF NOT EXISTS "${prefix}schema" (
      version INTEGER NOT NULL,
      oldest INTEGER NOT NULL
    );
    INSERT INTO "${prefix}schema"
      SELECT ${version}, ${version} WHERE NOT EXISTS (SELECT * FROM "${prefix}schema");
    CREATE TABLE IF NOT EXISTS "${prefix}uploads" (
      id TEXT PRIMARY KEY COLLATE BINARY NOT NULL,
      revision INTEGER NOT NULL,
      record TEXT NOT NULL,
      expires_at INTEGER
    );
    CREATE INDEX IF NOT EXISTS "${prefix}uploads_expires_at"
      ON "${prefix}uploads" (expires_at, id) WHERE expires_at IS NOT NULL;
  `)
}

/** Returns whether there are tables. Throws if this version of the package must not use them. */
export function hasTables(database: SqliteDatabase, prefix: string): boolean {
  const name = `${prefix}schema`
  const found = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")
  if (found.get(name) === undefined) return false
  const row = database.prepare(`SELECT version, oldest FROM "${name}"`).get()
  const { version: stored, oldest } = row as { version: number | bigint; oldest: number | bigint }
  if (oldest <= version) return true
  throw new Error(
    `The tables ${prefix}… have version ${stored}, which a later version of @tuskit/sqlite made; ` +
      `this one knows version ${version}`,
  )
}
