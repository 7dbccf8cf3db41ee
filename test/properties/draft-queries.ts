import { completeness, limit, refused, unavailable, type Version } from './draft-rules.js'
import {
  deleteOutcome,
  getOutcome,
  maxSize,
  missing,
  type ModelUpload,
  type Outcome,
  type RangeRequest,
} from './model.js'

/** `HEAD` by the draft, and `GET` unless it downloads. */
export function retrievalOutcome(upload: ModelUpload, version: Version): Outcome {
  if (upload.gone && version === undefined) return goneOutcome(upload)
  const instead = unavailable(version, upload)
  if (instead !== undefined) return instead
  const { bytes, end, length } = upload
  return {
    by: 'draft',
    statuses: [204],
    headers: {
      ...completeness(version, end === 'complete'),
      ...limit,
      'upload-offset': String(bytes.length),
      'upload-length': length === undefined ? undefined : String(length),
      'cache-control': 'no-store',
      'content-length': undefined,
    },
    upload,
  }
}

/** The protocol of a removed upload is unknown, so a response may use either. */
function goneOutcome(upload: ModelUpload): Outcome {
  return { ...missing(upload), by: 'either' }
}

/** `GET` of a draft upload. */
export function downloadOutcome(
  upload: ModelUpload,
  version: Version,
  range: RangeRequest | undefined,
): Outcome {
  if (version !== undefined || upload.end !== 'complete') return retrievalOutcome(upload, version)
  if (upload.gone) return goneOutcome(upload)
  const { headers, ...outcome } = getOutcome(upload, range)
  const isServed = outcome.statuses[0] !== 416
  const state = isServed
    ? { ...completeness(version, true), ...limit, 'upload-offset': String(upload.length) }
    : { 'upload-complete': undefined }
  return { ...outcome, by: 'draft', headers: { ...headers, ...state } }
}

/** `DELETE` without `Tus-Resumable`. */
export function cancellationOutcome(
  upload: ModelUpload,
  version: Version,
  needed: boolean,
): Outcome {
  const speaksTus = version === undefined && upload.kind !== 'draft'
  if (speaksTus && upload.gone) return { ...goneOutcome(upload), statuses: [404, 410, 412] }
  if (speaksTus) return { statuses: [412], headers: {}, upload }
  if (upload.gone && version === undefined) return goneOutcome(upload)
  const outcome = deleteOutcome(upload, needed)
  const isDone = outcome.statuses[0] === 204
  if (isDone) return { ...outcome, by: 'draft' }
  return { ...refused(version, 409, upload), statuses: outcome.statuses }
}

/** `OPTIONS` changes nothing, whatever its headers are. */
export function optionsOutcome(creates: boolean): Outcome {
  const draft = creates ? limit : { 'upload-limit': undefined }
  return {
    statuses: [200, 204],
    headers: {
      'tus-version': '1.0.0',
      'tus-max-size': String(maxSize),
      location: undefined,
      ...draft,
    },
  }
}
