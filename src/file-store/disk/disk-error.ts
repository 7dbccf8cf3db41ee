import { TusError } from '../../errors.js'
import type { ErrorCode } from '../../errors.js'

const full = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** The `code` of a system error, if it has one. */
export function errorCode(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code
}

/** Whether the system reports that there is no room. */
export function isFull(error: unknown): boolean {
  return full.includes(String(errorCode(error)))
}

/** Returns whether the system reports that a file or folder is missing. */
export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT'
}

/** The result of `work`, or `undefined` when the file is missing. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** What codes of the system mean to an operation. */
export type Meanings = Readonly<Record<string, ErrorCode>>

/**
 * The error that callers see for a failure of the file system: what `meanings` says, `ERR_STORAGE_FULL` for `ENOSPC`,
 * `EDQUOT` and `EFBIG`, and `ERR_STORAGE_UNAVAILABLE` for everything else that the system reports. Other errors, such as
 * those of a program, stay as they are.
 */
export function diskError(cause: unknown, meanings: Meanings = {}): unknown {
  if (!isSystemError(cause)) return cause
  const otherwise = isFull(cause) ? 'ERR_STORAGE_FULL' : 'ERR_STORAGE_UNAVAILABLE'
  return new TusError(meanings[cause.code] ?? otherwise, { cause })
}

/** Node adds the number to whatever comes from the system, and to nothing else. */
function isSystemError(error: unknown): error is { readonly code: string } {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown }
  return typeof code === 'string' && typeof errno === 'number'
}
