import { TusError, type ErrorCode } from 'tuskit'
import { storageError } from 'tuskit/store-kit'

/** Numbers of errors with which a server says that it cannot work right now. */
const unavailable = new Set([
  // Too many connections, of all or of one user, or too many prepared statements.
  ...[1040, 1203, 1226, 1461],
  // It shuts down, is offline, or has ended the connection or the statement.
  ...[1053, 1079, 1152, 1184, 1317, 1927, 1969, 3024, 3032, 3169, 4031],
  // It does not know a prepared statement any more.
  ...[1243, 1615],
  // A lock wait that took too long, and too many locks.
  ...[1205, 1206],
  // It is read-only: an option, a transaction, a mode.
  ...[1290, 1792, 1836],
  // It refuses the host, the user, or a right.
  ...[1044, 1045, 1129, 1130, 1142, 1143, 1227, 1698],
  // The account is locked, as MySQL and MariaDB have it, or has an old password.
  ...[3118, 3955, 4151, 1820, 1862],
  // The database or a table is not there.
  ...[1046, 1049, 1146],
  // Its cluster has no majority, or cannot commit.
  ...[1047, 1180, 3100, 3101],
  // Its disk, its memory or its network fails.
  ...[1015, 1026, 1030, 1037, 1038, 1041, 1135, 1158, 1159, 1160, 1161],
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
