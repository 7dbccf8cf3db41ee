import type { SqliteDatabase } from './sqlite-database.js'

/**
 * Switches a database to a write-ahead log, and lets each commit wait for the disk, which
 * `better-sqlite3` does not do by default. Throws if the database can have no such log.
 */
export function useLog(database: SqliteDatabase): void {
  database.exec('PRAGMA busy_timeout = 0')
  database.exec('PRAGMA synchronous = FULL')
  const row = database.prepare('PRAGMA journal_mode = WAL').get() as { journal_mode: string }
  if (row.journal_mode === 'wal') return
  throw new Error(
    `SqliteInfoStore needs a database with a write-ahead log, and this one stays in the mode ` +
      `'${row.journal_mode}'; use a file on a local disk`,
  )
}
