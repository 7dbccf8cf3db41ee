/** A value that is bound to a parameter. */
export type SqliteValue = string | number | null

/** The result of a statement that changes rows. */
export interface Changes {
  readonly changes: number | bigint
}

/** The members of a prepared statement that are used. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): Changes
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

/**
 * The members of a connection that are used: those which `DatabaseSync` of `node:sqlite` and
 * `Database` of `better-sqlite3` have in common.
 */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
}
