import { TusError } from '../errors.js'
import type { ErrorCode } from '../errors.js'

const full = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** The `code` of a system error, if it has one. */
export function errorCode(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code
}

/** The result of `work`, or `undefined` when the file is missing. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The error that callers see for a failure of the file system: `ERR_STORAGE_FULL` for `ENOSPC`, `EDQUOT` and
 * `EFBIG`, what `others` says for further codes, and the failure itself for everything else.
 */
export function mediumError(
  cause: unknown,
  others: Readonly<Record<string, ErrorCode>> = {},
): unknown {
  const code = errorCode(cause)
  if (typeof code !== 'string') return cause
  if (full.includes(code)) return new TusError('ERR_STORAGE_FULL', { cause })
  const known = others[code]
  return known === undefined ? cause : new TusError(known, { cause })
}
