import type { IncomingHttpHeaders } from 'node:http'
import { header } from '../context.js'
import { parseBooleanItem, parseIntegerItem } from './fields/structured-field.js'

/**
 * The interop versions that are spoken, from draft -01 on (IETF draft, Draft Version
 * Identification).
 */
export const interopVersions = [3, 4, 5, 6, 7, 8, 9] as const

/** The differences between the interop versions of the draft. */
export interface Dialect {
  /** The version of the request, repeated in interim responses. Absent if missing or unknown. */
  readonly interopVersion: number | undefined
  /** Whether the request names a version that is not spoken here. */
  readonly foreign: boolean
  /** Version 3: `Upload-Incomplete`, with the opposite meaning, instead of `Upload-Complete`. */
  readonly inverted: boolean
  /** Up to version 4 interim responses report only the location, later ones progress too. */
  readonly tellsProgress: boolean
  /** From version 6 on a body that is appended has a media type of its own. */
  readonly typedAppends: boolean
  /** Up to version 6 an append that does not say whether it is the end is the end. */
  readonly absentCompletes: boolean
  /**
   * Up to version 6 requests for the offset, and cancellations, that carry fields of an append are
   * refused.
   */
  readonly strictQueries: boolean
  /** Up to version 6 a malformed request for an existing upload also gets its offset. */
  readonly alwaysTellsOffset: boolean
  /** The status of requests for an upload that is gone. */
  readonly goneStatus: 404 | 410
  /** The status of an append after which more follows. */
  readonly appendStatus: 201 | 204
  /** The key of the remaining lifetime in `Upload-Limit`. */
  readonly ageKey: 'expires' | 'max-age'
  /** From version 7 on a body that is longer than the upload ends the upload. */
  readonly overrunEnds: boolean
  /**
   * Up to version 8 an append to a complete upload is refused. Later its response can be replayed.
   */
  readonly replays: boolean
}

/** Returns the dialect of the version that a request names, or of the latest version. */
export function dialectOf(headers: IncomingHttpHeaders): Dialect {
  const named = parseIntegerItem(header(headers, 'upload-draft-interop-version'))
  const interopVersion = interopVersions.find((known) => known === named)
  const version = interopVersion ?? Infinity
  return {
    interopVersion,
    foreign: named !== undefined && interopVersion === undefined,
    inverted: version === 3,
    tellsProgress: version >= 5,
    typedAppends: version >= 6,
    absentCompletes: version <= 6,
    strictQueries: version <= 6,
    alwaysTellsOffset: version <= 6,
    goneStatus: version <= 6 ? 404 : 410,
    appendStatus: version <= 6 ? 201 : 204,
    ageKey: version <= 6 ? 'expires' : 'max-age',
    overrunEnds: version >= 7,
    replays: version >= 9,
  }
}

/** Returns whether a request says that its body is the end of the upload, or `undefined`. */
export function completenessOf(
  { inverted }: Dialect,
  headers: IncomingHttpHeaders,
): boolean | undefined {
  if (!inverted) return parseBooleanItem(header(headers, 'upload-complete'))
  const incomplete = parseBooleanItem(header(headers, 'upload-incomplete'))
  return incomplete === undefined ? undefined : !incomplete
}

/** The header by which a response says whether the upload is complete. */
export function completenessHeader(
  { inverted }: Dialect,
  complete: boolean,
): Readonly<Record<string, string>> {
  return inverted
    ? { 'upload-incomplete': complete ? '?0' : '?1' }
    : { 'upload-complete': complete ? '?1' : '?0' }
}
