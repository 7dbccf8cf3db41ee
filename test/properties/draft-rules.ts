import { maxSize, missing, type ModelUpload, type Outcome } from './model.js'

/**
 * `Upload-Draft-Interop-Version`. No server knows `99`; `undefined` means that there is no such
 * header.
 */
export type Version = 3 | 4 | 5 | 6 | 7 | 8 | 9 | 99 | undefined

export const limit = { 'upload-limit': `max-size=${maxSize}` }

/**
 * The differences between the versions. Without a version, or with an unknown one, the latest
 * applies.
 */
export function rulesOf(version: Version = 99) {
  return {
    typedAppends: version >= 6,
    absentEnds: version <= 6,
    overrunEnds: version >= 7,
    replays: version >= 9,
    stored: version <= 6 ? 201 : 204,
  }
}

export function completeness(version: Version, complete: boolean) {
  return version === 3
    ? { 'upload-incomplete': complete ? '?0' : '?1' }
    : { 'upload-complete': complete ? '?1' : '?0' }
}

export function refused(version: Version, status: number, upload?: ModelUpload, at?: number) {
  const offset = at === undefined ? {} : { 'upload-offset': String(at) }
  const headers = { ...completeness(version, false), ...offset, ...(status === 413 && limit) }
  return { by: 'draft', statuses: [status], headers, ...(upload && { upload }) } as const
}

/** The response to every draft request for an upload that does not exist or was rejected. */
export function unavailable(version: Version, upload: ModelUpload): Outcome | undefined {
  if (upload.gone) {
    const { headers, ...outcome } = missing(upload)
    return { ...outcome, by: 'draft', headers: { ...headers, ...completeness(version, false) } }
  }
  if (upload.end === 'rejected') return rejected(version, upload)
  if (upload.kind === 'draft') return undefined
  const { headers, ...outcome } = refused(version, 409, upload)
  return { ...outcome, headers: { ...headers, 'upload-offset': undefined } }
}

export function rejected(version: Version, upload: ModelUpload): Outcome {
  return { by: 'draft', statuses: [400], headers: completeness(version, true), upload }
}
