import { TusError, type ErrorCode } from 'tuskit'
import { storageError } from 'tuskit/store-kit'

/** Numbers of errors with which a server says that it cannot work right now. */
const unavailable = new Set([
  // Too many connections, of all or of one user.
  ...[1040, 1203, 1226],
  // It shuts down, or an administrator has ended the connection or the statement.
  ...[1053, 1079, 1152, 1317, 1927, 1969, 3024, 3169],
  // A lock wait that took too long.
  1205,
  // It is read-only: an option, a transaction, a mode.
  ...[1290, 1792, 1836],
  // It refuses the user, or a right.
  ...[1044, 1045, 1142, 1143, 1227],
  // The database or a table is not there.
  ...[1046, 1049, 1146],
  // Its cluster has no majority, or cannot commit.
  ...[1047, 1180, 3100, 3101],
  // Its disk or its memory fails.
  ...[1015, 1026, 1030, 1037, 1038, 1041],
])

/** A disk or a table that is full. */
const full = new Set([1021, 1114])

/** Errors that have a meaning for the caller. */
export const duplicateEntry = 1062
export const deadlock = 1213
export const noSuchTable = 1146
export const notPermitted = 1142

/** Returns the error that the stores throw for a failure of MySQL. */
export function mysqlError(cause: unknown): unknown {
  const code = meaningOf(cause)
  return code === undefined ? storageError(cause) : new TusError(code, { cause })
}

function meaningOf(cause: unknown): ErrorCode | undefined {
  const number = errorNumber(cause)
  if (number === undefined) return isOfPool(cause) ? 'ERR_STORAGE_UNAVAILABLE' : undefined
  if (full.has(number) || isFullEngine(cause)) return 'ERR_STORAGE_FULL'
  return unavailable.has(number) ? 'ERR_STORAGE_UNAVAILABLE' : undefined
}

/** Returns whether the pool has no connection to give, for which mysql2 has no code. */
function isOfPool(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return name === 'Error' && code === undefined
}

/** Returns the number of an error of the server. */
export function errorNumber(error: unknown): number | undefined {
  const { errno } = (error ?? {}) as { errno?: unknown }
  // Those of the system are negative.
  return typeof errno === 'number' && errno > 0 ? errno : undefined
}

/** Returns whether a storage engine reports the number of ENOSPC, which is only in the message. */
function isFullEngine(error: unknown): boolean {
  const { message } = error as { message?: unknown }
  return errorNumber(error) === 1030 && /error 28\b/.test(String(message))
}

/** Returns whether an error is one of the results that the callers of a statement expect. */
export function isExpected(error: unknown): boolean {
  const number = errorNumber(error)
  return number === duplicateEntry || number === deadlock
}
