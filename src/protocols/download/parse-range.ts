import type { ByteRange } from '../../capabilities/content-reader.js'

/** The requested bytes: some of them, all of them, or some that do not exist (416). */
export type RangeRequest = ByteRange | 'whole' | 'unsatisfiable'

/**
 * Parses a `Range` header for content of `length` bytes (RFC 9110 section 14.2). A header that is
 * absent, malformed or in another unit requests everything. So does one with several ranges, which
 * a server need not serve.
 */
export function parseRange(header: string | undefined, length: number): RangeRequest {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/i.exec(header ?? '') ?? []
  // `Content-Range` cannot describe a part of empty content. Clients that always send `Range` get
  // all of it.
  if ((first === '' && last === '') || length === 0) return 'whole'
  if (first === '') {
    const suffix = Number(last)
    return suffix === 0 ? 'unsatisfiable' : { start: Math.max(0, length - suffix), end: length - 1 }
  }
  const start = Number(first)
  const end = last === '' ? Infinity : Number(last)
  if (end < start) return 'whole'
  return start >= length ? 'unsatisfiable' : { start, end: Math.min(end, length - 1) }
}
