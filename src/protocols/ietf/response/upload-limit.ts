import type { Upload } from '../../../upload.js'
import type { EngineSettings } from '../../../uploads/engine.js'
import type { Dialect } from '../dialect.js'
import { formatDictionary, maxInteger } from '../fields/structured-field.js'

/** The limits that apply to an upload, or to one that could be created. */
export interface Limits {
  /** The maximum size of the upload in bytes. If absent, there is no limit. */
  readonly maxSize?: number | undefined
  /** The remaining milliseconds to finish it. If absent, it never expires. */
  readonly age?: number | undefined
}

/**
 * `Upload-Limit` (IETF draft, Limits). It is never empty, since its presence shows that the server
 * speaks the draft.
 */
export function uploadLimit(
  { minSize, minAppendSize, maxAppendSize }: EngineSettings,
  { ageKey }: Pick<Dialect, 'ageKey'>,
  { maxSize = Infinity, age }: Limits,
): { readonly 'upload-limit': string } {
  const bytes = (size: number) => Math.min(size, maxInteger)
  const limits = {
    ...(Number.isFinite(maxSize) && { 'max-size': bytes(maxSize) }),
    ...(minSize > 0 && { 'min-size': bytes(minSize) }),
    ...(Number.isFinite(maxAppendSize) && { 'max-append-size': bytes(maxAppendSize) }),
    ...(minAppendSize > 0 && { 'min-append-size': bytes(minAppendSize) }),
    ...(age !== undefined && { [ageKey]: Math.max(0, Math.floor(age / 1000)) }),
  }
  const any = Object.keys(limits).length > 0
  return { 'upload-limit': formatDictionary(any ? limits : { 'min-size': 0 }) }
}

/** `Upload-Limit` of an upload. */
export function limitOf(
  settings: EngineSettings,
  dialect: Dialect,
  { maxSize, expiresAt, state }: Upload,
): { readonly 'upload-limit': string } {
  // A finished upload may expire earlier than an unfinished one, and must not report that (Limits).
  const isLimited = expiresAt !== undefined && state.kind === 'open'
  const age = !isLimited ? undefined : Date.parse(expiresAt) - Date.now()
  return uploadLimit(settings, dialect, { maxSize, age })
}
