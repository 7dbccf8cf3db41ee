import { constants } from 'node:os'
import type { ErrorCode } from '../error-codes.js'
import { isTusError, TusError } from '../errors.js'

/**
 * The codes of a storage and what they mean in an operation. A code is a string such as `ENOENT`,
 * or a number such as the reply 550 of an FTP server.
 */
export type Meanings = Readonly<Record<string | number, ErrorCode>>

const full = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** How many errors behind an error are looked at: they may form a circle. */
const deepest = 8

/**
 * Returns the error that your store throws for a failure of its storage. The failure becomes its
 * `cause`, which is logged and never sent to clients.
 *
 * - A code in `meanings` gets that meaning. So `ENOENT` is `ERR_DATA_MISSING` only in operations in
 *   which you say so.
 * - `ENOSPC`, `EDQUOT` and `EFBIG` become `ERR_STORAGE_FULL`.
 * - Every other error of the system or the network becomes `ERR_STORAGE_UNAVAILABLE`: errors with
 *   a `syscall`, errors of sockets, DNS, TLS and HTTP, of `fetch`, and timeouts.
 * - So does an error after which a database has ended the connection: one with `fatal: true`
 *   (MySQL) or `severity: 'FATAL'` (PostgreSQL).
 * - Everything else is returned unchanged: a `TusError`, the reason of a signal, and programming
 *   mistakes, which should be logged as such. So are errors of a statement, such as a wrong syntax
 *   or a violated constraint. If some of your database may pass, say so in `meanings`, as in
 *   `{ SQLITE_BUSY: 'ERR_STORAGE_UNAVAILABLE' }`.
 *
 * The failure may also be the `cause` of the error, or one of the `errors` of an `AggregateError`:
 * `fetch` and connections to a name with several addresses report them like that.
 *
 * @example
 * try {
 *   await this.#client.remove(path)
 * } catch (error) {
 *   throw storageError(error, { 550: 'ERR_DATA_MISSING', 552: 'ERR_STORAGE_FULL' })
 * }
 */
export function storageError(cause: unknown, meanings: Meanings = {}): unknown {
  if (isTusError(cause)) return cause
  const failures = failuresOf(cause)
  const code = meaningOf(failures, meanings)
  return code === undefined ? cause : new TusError(code, { cause })
}

/** Returns whether a system error says that there is no space. */
export function isFull(error: unknown): boolean {
  return full.includes(String((error as Failure | undefined)?.code))
}

function meaningOf(failures: readonly Failure[], meanings: Meanings): ErrorCode | undefined {
  for (const { code } of failures) {
    const isCode = typeof code === 'string' || typeof code === 'number'
    if (isCode && Object.hasOwn(meanings, code)) return meanings[code]
  }
  if (failures.some(isFull)) return 'ERR_STORAGE_FULL'
  return failures.some(isOfSystem) ? 'ERR_STORAGE_UNAVAILABLE' : undefined
}

interface Failure {
  readonly name?: unknown
  readonly code?: unknown
  readonly syscall?: unknown
  readonly fatal?: unknown
  readonly severity?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

/** Returns an error and those that led to it. */
function failuresOf(error: unknown, depth = 0): readonly Failure[] {
  if (typeof error !== 'object' || error === null || depth > deepest) return []
  // A store, or the body of a request, has already said what it means.
  if (isTusError(error)) return []
  const failure: Failure = error
  const others = Array.isArray(failure.errors) ? failure.errors : []
  const behind = [failure.cause, ...others].flatMap((one) => failuresOf(one, depth + 1))
  return [failure, ...behind]
}

function isOfSystem({ name, code, syscall, fatal, severity }: Failure): boolean {
  // `AbortSignal.timeout` and clients with a time limit of their own.
  if (name === 'TimeoutError') return true
  // Clients of MySQL and PostgreSQL whose connection has ended.
  if (fatal === true || severity === 'FATAL') return true
  if (typeof code !== 'string') return false
  return typeof syscall === 'string' || isOfNetwork(code)
}

/** Returns whether a code that comes without `syscall` says that the network failed. */
function isOfNetwork(code: string): boolean {
  if (code in constants.errno || networkCodes.has(code)) return true
  return ofNetwork.test(code) && !mistakes.has(code)
}

/** Looking up names; OpenSSL; certificates; the parser of HTTP; HTTP/2; undici. */
const ofNetwork =
  /^(EAI_|ERR_SSL_|(CERT|CRL|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED)_|HPE_|ERR_HTTP2_(STREAM|SESSION|GOAWAY)_|UND_ERR_)/

const networkCodes = new Set([
  // DNS, and libraries that imitate the system.
  ...['ENOTFOUND', 'ESERVFAIL', 'EREFUSED', 'ETIMEOUT', 'ESOCKET', 'ESOCKETTIMEDOUT'],
  ...['ECONNCLOSED', 'PROTOCOL_CONNECTION_LOST'],
  ...['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_HANDSHAKE_TIMEOUT'],
  ...['INVALID_CA', 'INVALID_PURPOSE', 'HOSTNAME_MISMATCH', 'PATH_LENGTH_EXCEEDED'],
  ...['ERR_SOCKET_CLOSED', 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION', 'ERR_SOCKET_CONNECTION_TIMEOUT'],
  ...['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_HTTP2_INVALID_SESSION'],
])

/** Codes of undici for wrong calls, and for requests that their caller has ended. */
const mistakes = new Set([
  ...['UND_ERR_INVALID_ARG', 'UND_ERR_INVALID_RETURN_VALUE', 'UND_ERR_NOT_SUPPORTED'],
  ...['UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'UND_ERR_ABORTED'],
])
