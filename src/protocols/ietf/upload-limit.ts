import type { EngineSettings } from '../../uploads/engine.js'
import type { Dialect } from './dialect.js'
import { formatDictionary, maxInteger } from './structured-field.js'

/** The limits that apply to an upload, or to one that could be created. */
export interface Limits {
  /** The most bytes that the upload may have. Absent: no limit. */
  readonly maxSize?: number | undefined
  /** Milliseconds that are left to finish it. Absent: for ever. */
  readonly age?: number | undefined
}

/** `Upload-Limit` (IETF draft, Limits). It is never empty, since its presence tells that the draft is spoken. */
export function uploadLimit(
  { minSize, minAppendSize, maxAppendSize }: EngineSettings,
  { ageKey }: Pick<Dialect, 'ageKey'>,
  { maxSize = Infinity, age }: Limits,
): { readonly 'upload-limit': string } {
  const limits = {
    ...(Number.isFinite(maxSize) && { 'max-size': Math.min(maxSize, maxInteger) }),
    ...(minSize > 0 && { 'min-size': minSize }),
    ...(Number.isFinite(maxAppendSize) && {
      'max-append-size': Math.min(maxAppendSize, maxInteger),
    }),
    ...(minAppendSize > 0 && { 'min-append-size': minAppendSize }),
    ...(age !== undefined && { [ageKey]: Math.max(0, Math.floor(age / 1000)) }),
  }
  const any = Object.keys(limits).length > 0
  return { 'upload-limit': formatDictionary(any ? limits : { 'min-size': 0 }) }
}
