import type { IncomingHttpHeaders } from 'node:http'
import { TusError } from '../../../errors.js'
import { header } from '../../context.js'
import { parseIntegerItem } from '../fields/structured-field.js'

/** The body of a request, as its headers describe it. */
export interface DeclaredBody {
  /** Where it is to be appended; absent when it creates an upload. */
  readonly offset?: number
  readonly size: number | undefined
  /** Whether it is the end of the upload. */
  readonly completes: boolean
}

/**
 * Returns the length that a request declares, with `Upload-Length` or the size of a body that is
 * the end (IETF draft, Length). Throws `ERR_LENGTH_MISMATCH` when the request contradicts itself.
 */
export function declaredLength(
  headers: IncomingHttpHeaders,
  { offset, size, completes }: DeclaredBody,
): number | undefined {
  const declared = parseIntegerItem(header(headers, 'upload-length'))
  const end = size === undefined ? undefined : (offset ?? 0) + size
  const counted = completes ? end : undefined
  if (declared === undefined) return counted
  const contradicted = counted === undefined ? (end ?? 0) > declared : counted !== declared
  if (contradicted) throw new TusError('ERR_LENGTH_MISMATCH', { offset })
  return declared
}
