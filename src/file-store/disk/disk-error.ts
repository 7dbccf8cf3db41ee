import { TusError } from '../../errors.js'
import type { ErrorCode } from '../../error-codes.js'

const full = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** Returns the `code` of a system error, if it has one. */
export function errorCode(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code
}

/** Returns whether the system reports that there is no space. */
export function isFull(error: unknown): boolean {
  return full.includes(String(errorCode(error)))
}

/** Returns whether the system reports that a file or folder is missing. */
export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT'
}

/** Returns the result of `work`, or `undefined` when the file is missing. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The error codes for system errors in an operation. */
export type Meanings = Readonly<Record<string, ErrorCode>>

/**
 * Returns the error that callers see for a failure of the file system: the one in `meanings`,
 * `ERR_STORAGE_FULL` for `ENOSPC`, `EDQUOT` and `EFBIG`, and `ERR_STORAGE_UNAVAILABLE` for every
 * other system error. Other errors, such as programming mistakes, stay unchanged.
 */
export function diskError(cause: unknown, meanings: Meanings = {}): unknown {
  if (!isSystemError(cause)) return cause
  const otherwise = isFull(cause) ? 'ERR_STORAGE_FULL' : 'ERR_STORAGE_UNAVAILABLE'
  return new TusError(meanings[cause.code] ?? otherwise, { cause })
}

/** Node sets `errno` on system errors only. */
function isSystemError(error: unknown): error is { readonly code: string } {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown }
  return typeof code === 'string' && typeof errno === 'number'
}
