import { TusError, type ErrorCode } from 'tuskit'
import { storageError } from 'tuskit/store-kit'

/** The parts of an error of pg that are looked at. Only the server's have a severity. */
interface PostgresFailure {
  readonly name?: unknown
  readonly code?: unknown
  readonly severity?: unknown
}

/**
 * Classes of conditions that can pass: connections, resources, shutdowns and timeouts, failures of
 * the system, and transactions that others have made fail.
 */
const passing = /^(08|40|53|57|58)/

/**
 * Conditions that an administrator can end: a server that is read-only, rights that were taken
 * away, tables and schemas that are not there. The last must not look like missing uploads.
 */
const administered = ['25006', '42501', '42P01', '3F000', '55P03']

/** Returns the code with which the server described the failure, such as `53100`. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = Object(error) as PostgresFailure
  return typeof severity === 'string' && typeof code === 'string' ? code : undefined
}

/** Returns whether the failure has ended a statement that would succeed on another connection. */
export function isWorthRepeating(error: unknown): boolean {
  return /^(08|40|57P)/.test(sqlStateOf(error) ?? '08')
}

/**
 * Returns the error that a store throws for a failure of the server or of the connection. Mistakes
 * in statements remain as they are.
 */
export function postgresError(cause: unknown): unknown {
  const state = sqlStateOf(cause)
  if (state !== undefined) return storageError(cause, meaningOf(state))
  // The client gives no code when a connection ended, or took too long to open.
  const { name, code } = Object(cause) as PostgresFailure
  if (name !== 'Error' || code !== undefined) return storageError(cause)
  return new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
}

function meaningOf(state: string): Readonly<Record<string, ErrorCode>> {
  if (state === '53100') return { [state]: 'ERR_STORAGE_FULL' }
  const isTemporary = passing.test(state) || administered.includes(state)
  return isTemporary ? { [state]: 'ERR_STORAGE_UNAVAILABLE' } : {}
}
