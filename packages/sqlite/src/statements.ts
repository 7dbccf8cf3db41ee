import type { SqliteDatabase, SqliteStatement } from './sqlite-database.js'

/** How many ids are read at once. */
const pageSize = 500

/** The statements for a table of records. */
export class Statements {
  readonly create: SqliteStatement
  readonly get: SqliteStatement
  /** Leaves a record that is no JSON as it is. */
  readonly update: SqliteStatement
  readonly delete: SqliteStatement
  readonly expired: SqliteStatement
  readonly ids: SqliteStatement

  constructor(database: SqliteDatabase, table: string) {
    const prepare = (sql: string) => database.prepare(sql.replace('uploads', `"${table}"`))
    this.create = prepare(
      `INSERT INTO uploads (id, revision, record, expires_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    )
    this.get = prepare('SELECT record FROM uploads WHERE id = ?')
    this.update = prepare(
      `UPDATE uploads SET revision = ?, record = ?, expires_at = ?
       WHERE id = ? AND revision = ? AND json_valid(record)`,
    )
    this.delete = prepare('DELETE FROM uploads WHERE id = ?')
    this.expired = prepare(
      `SELECT id, expires_at FROM uploads WHERE expires_at <= ? AND (expires_at, id) > (?, ?)
       ORDER BY expires_at, id LIMIT ${pageSize}`,
    )
    this.ids = prepare(`SELECT id FROM uploads WHERE id > ? ORDER BY id LIMIT ${pageSize}`)
  }
}
