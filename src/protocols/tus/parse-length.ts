import { TusError } from '../../errors.js'
import { parseInteger } from './parse-integer.js'

/**
 * Reads an `Upload-Length` header. Throws `ERR_INVALID_LENGTH` when it is not a number, and
 * `ERR_MAX_SIZE_EXCEEDED` when it is above 2^53 − 1: it is well-formed, but no store could hold
 * that much.
 */
export function parseLength(value: string): number {
  const length = parseInteger(value)
  if (length === undefined) throw new TusError('ERR_INVALID_LENGTH')
  if (length === Infinity) {
    const message = 'Upload-Length is above 9007199254740991, the most that this server can count'
    throw new TusError('ERR_MAX_SIZE_EXCEEDED', { message })
  }
  return length
}
