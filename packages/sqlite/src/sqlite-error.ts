import { TusError, type ErrorCode } from 'tuskit'
import { storageError } from 'tuskit/store-kit'

/** The codes of SQLite that say something about the storage, by the names of `better-sqlite3`. */
const meanings: Readonly<Record<string, readonly [number: number, meaning: ErrorCode]>> = {
  SQLITE_PERM: [3, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_BUSY: [5, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_LOCKED: [6, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_NOMEM: [7, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_READONLY: [8, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_IOERR: [10, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_CORRUPT: [11, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_FULL: [13, 'ERR_STORAGE_FULL'],
  SQLITE_CANTOPEN: [14, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_PROTOCOL: [15, 'ERR_STORAGE_UNAVAILABLE'],
  SQLITE_NOTADB: [26, 'ERR_STORAGE_UNAVAILABLE'],
}

/**
 * Returns the error that the store throws for a failure of SQLite. Mistakes, such as a closed
 * connection or a missing table, are returned unchanged.
 */
export function sqliteError(cause: unknown): unknown {
  for (const [name, [, meaning]] of Object.entries(meanings)) {
    if (isCode(cause, name)) return new TusError(meaning, { cause })
  }
  return storageError(cause)
}

/** Returns whether another connection has the lock. */
export function isBusy(error: unknown): boolean {
  return isCode(error, 'SQLITE_BUSY')
}

/**
 * Returns whether an error has a code, or one that extends it, such as `SQLITE_BUSY_SNAPSHOT`.
 * `node:sqlite` has numbers, whose lowest byte is the code that is extended.
 */
function isCode(error: unknown, name: string): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  if (typeof errcode === 'number') return (errcode & 0xff) === meanings[name]![0]
  return typeof code === 'string' && (code === name || code.startsWith(`${name}_`))
}
