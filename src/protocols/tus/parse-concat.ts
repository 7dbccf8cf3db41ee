import { TusError } from '../../errors.js'

/** The meaning of an `Upload-Concat` header. */
export type ConcatHeader =
  | { readonly kind: 'partial' }
  /** `urls`: at least one, as the client wrote them, in order. */
  | { readonly kind: 'final'; readonly urls: readonly string[] }

/**
 * Reads an `Upload-Concat` header: `partial`, or `final;` and URLs separated by spaces. Does
 * not check the URLs.
 *
 * Throws `ERR_INVALID_CONCAT` for anything else.
 */
export function parseConcat(header: string): ConcatHeader {
  if (header === 'partial') return { kind: 'partial' }
  const prefix = 'final;'
  const urls = header.slice(prefix.length).split(' ').filter(Boolean)
  if (!header.startsWith(prefix) || urls.length === 0) throw new TusError('ERR_INVALID_CONCAT')
  return { kind: 'final', urls }
}
