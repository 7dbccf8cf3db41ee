import { createHash } from 'node:crypto'
import {
  completeness,
  limit,
  refused,
  rejected,
  rulesOf,
  unavailable,
  type Version,
} from './draft-rules.js'
import { maxSize, type Chunk, type ModelUpload, type Outcome } from './model.js'

export interface DraftCreateRequest {
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly version: Version
  /** Whether the request declares the body to be the end. */
  readonly ends: boolean
  /** `Upload-Length`, counted from the end of the body. */
  readonly declares: number | undefined
  readonly chunk: Chunk
  /** `Repr-Digest`. A right one is that of the body. */
  readonly whole: 'none' | 'right' | 'wrong'
  readonly flaw: 'none' | 'offset' | 'not said'
}

export interface AppendRequest {
  readonly version: Version
  /** The difference between `Upload-Offset` and the right one. */
  readonly shift: number
  /** `undefined`: the request does not say whether the body is the end. */
  readonly ends: boolean | undefined
  readonly declares: number | undefined
  /** Whether the chunk is everything that is missing, if that is known. */
  readonly fills: boolean
  readonly chunk: Chunk
  readonly flaw: 'none' | 'type' | 'offset'
}

/** The claims of an append. */
export interface Claims {
  readonly path: string
  readonly offset: number
  readonly length: number | undefined
  readonly bytes: Buffer
}

export function draftCreateOutcome(request: DraftCreateRequest, bytes: Buffer): Outcome {
  const { ends, version } = request
  const begun = beginCreation(request, bytes)
  if ('statuses' in begun) return begun
  const outcome = takeBody(begun, request, ends, bytes)
  const created = outcome.statuses[0] === 204 ? { ...outcome, statuses: [201] } : outcome
  if (version === undefined) return created
  if (version !== 99) return { ...created, interim: announcement(version) }
  // The body is the whole upload, or nothing.
  const { upload, mayKeep: _, ...single } = created
  return upload?.end === 'complete' ? created : single
}

/** Returns the headers of the first `104`. */
export function announcement(version: Version) {
  return { ...limit, 'upload-draft-interop-version': String(version) }
}

/**
 * Returns the upload when the body of its creation begins to count; `undefined` when there is no
 * upload, or the body is too long.
 */
export function creating(request: DraftCreateRequest, bytes: Buffer): ModelUpload | undefined {
  const begun = beginCreation(request, bytes)
  if ('statuses' in begun) return undefined
  return bytes.length > (begun.length ?? maxSize) ? undefined : begun
}

/** Returns the upload that the head of the request creates, or the refusal of that request. */
function beginCreation(request: DraftCreateRequest, bytes: Buffer): ModelUpload | Outcome {
  const { chunk, ends, flaw, version, whole } = request
  if (flaw === 'not said') return { statuses: [412], headers: {} }
  if (flaw === 'offset') return refused(version, 400)
  const length = declaredLength(request, 0, bytes, lengthField(request, bytes))
  if (length === 'contradiction' || (version === 99 && !ends)) return refused(version, 400)
  if (chunk.checksum === 'unknown' || chunk.checksum === 'malformed') return refused(version, 400)
  if ((length ?? 0) > maxSize) return refused(version, 413)
  return {
    kind: 'draft',
    length,
    bytes: Buffer.alloc(0),
    metadata: '',
    parts: [],
    gone: false,
    ...(whole !== 'none' && { digest: digestOf(whole === 'right' ? bytes : Buffer.from('!')) }),
  }
}

export function lengthField(
  { declares }: Pick<DraftCreateRequest, 'declares'>,
  bytes: Buffer,
  offset = 0,
): number | undefined {
  return declares === undefined ? undefined : Math.max(0, offset + bytes.length + declares)
}

/**
 * Returns the length that a request declares: by `Upload-Length`, or by the size of a body that is
 * the end.
 */
function declaredLength(
  { chunk, ends }: Pick<DraftCreateRequest, 'chunk' | 'ends'>,
  offset: number,
  bytes: Buffer,
  length: number | undefined,
): number | undefined | 'contradiction' {
  if (chunk.chunked) return length
  const end = offset + bytes.length
  if (length === undefined) return ends ? end : undefined
  return (ends ? end !== length : end > length) ? 'contradiction' : length
}

export function appendOutcome(
  upload: ModelUpload,
  request: AppendRequest,
  claims: Claims,
): Outcome {
  const begun = begin(upload, request, claims)
  if ('statuses' in begun) return begun
  return takeBody(begun, request, isEnd(request)!, claims.bytes, claims.path)
}

/**
 * Returns the upload when the body of an append begins to count; `undefined` when the append is
 * refused before that, or too long.
 */
export function receiving(
  upload: ModelUpload,
  request: AppendRequest,
  claims: Claims,
): ModelUpload | undefined {
  const begun = begin(upload, request, claims)
  if ('statuses' in begun) return undefined
  const { checksum } = request.chunk
  if (checksum === 'unknown' || checksum === 'malformed') return undefined
  const isTooLong = begun.bytes.length + claims.bytes.length > (begun.length ?? maxSize)
  return isTooLong ? undefined : begun
}

function isEnd({ ends, version }: AppendRequest): boolean | undefined {
  return ends ?? (rulesOf(version).absentEnds ? true : undefined)
}

/**
 * Returns the upload with the declarations in the head of the request, or the refusal of that
 * request.
 */
function begin(upload: ModelUpload, request: AppendRequest, claims: Claims): ModelUpload | Outcome {
  const { chunk, flaw, version } = request
  const ends = isEnd(request)
  if (flaw === 'type' && rulesOf(version).typedAppends) return untyped(upload, request)
  if (flaw === 'offset' || ends === undefined) return refused(version, 400, upload)
  const instead = unavailable(version, upload)
  if (instead !== undefined) return instead
  if (upload.end === 'complete') return repeated(upload, request, ends, claims)
  const offset = upload.bytes.length
  if (claims.offset !== offset) return refused(version, 409, upload, offset)
  const length = declaredLength({ chunk, ends }, offset, claims.bytes, claims.length)
  if (length === 'contradiction') return refused(version, 400, upload, offset)
  if (length === undefined || length === upload.length) return upload
  const contradicts = upload.length !== undefined || length < offset
  if (contradicts) return refused(version, 400, upload, offset)
  if (length > maxSize) return refused(version, 413, upload, offset)
  // A declaration is recorded, whatever becomes of the body.
  return { ...upload, length }
}

function untyped(upload: ModelUpload, { ends, version }: AppendRequest): Outcome {
  // Nothing else shows that it is a draft upload.
  if (version === undefined && ends === undefined) return { statuses: [412], headers: {}, upload }
  const { headers, ...outcome } = refused(version, 415, upload)
  return { ...outcome, headers: { ...headers, 'accept-patch': 'application/partial-upload' } }
}

/** Repeats the last response for a client that missed it. A complete upload takes no more bytes. */
function repeated(
  upload: ModelUpload,
  { version }: AppendRequest,
  ends: boolean,
  { bytes, length, offset, path }: Claims,
): Outcome {
  const { replays } = rulesOf(version)
  const same = ends && offset === upload.length && bytes.length === 0
  if (replays && same) {
    if ((length ?? offset) === offset) return completed(upload, version, path)
    return { ...refused(version, 400, upload, offset), statuses: [400, 409] }
  }
  return refused(version, replays ? 409 : 400, upload, upload.length)
}

function completed(upload: ModelUpload, version: Version, path: string | undefined): Outcome {
  const headers = {
    ...completeness(version, true),
    ...limit,
    'upload-offset': String(upload.bytes.length),
    ...(path !== undefined && { location: path }),
  }
  return { by: 'draft', statuses: [201], headers, upload }
}

/** Returns the outcome of an append; `path` is that of an existing upload. */
function takeBody(
  upload: ModelUpload,
  { chunk, version }: { readonly chunk: Chunk; readonly version: Version },
  ends: boolean,
  bytes: Buffer,
  path?: string,
): Outcome {
  const { overrunEnds, stored } = rulesOf(version)
  const offset = upload.bytes.length
  const room = (upload.length ?? maxSize) - offset
  const tooMuch = upload.length === undefined ? 413 : 400
  if (bytes.length > room && !chunk.chunked) return refused(version, tooMuch, upload, offset)
  if (chunk.checksum === 'unknown' || chunk.checksum === 'malformed') {
    return refused(version, 400, upload)
  }
  if (bytes.length > room) {
    if (tooMuch === 400 && overrunEnds) return refused(version, 400, { ...upload, gone: true })
    if (chunk.checksum !== 'none') return refused(version, tooMuch, upload, offset)
    // Bytes that came before the body was seen to be too long may be stored, but never enough to
    // fill the upload.
    return { ...refused(version, tooMuch, upload), mayKeep: Math.max(0, room - 1) }
  }
  if (chunk.checksum === 'wrong') return refused(version, 400, upload, offset)
  const grown = { ...upload, bytes: Buffer.concat([upload.bytes, bytes]) }
  const end = grown.bytes.length
  if (!ends) {
    const headers = { ...completeness(version, false), ...limit, 'upload-offset': String(end) }
    return { by: 'draft', statuses: [stored], headers, upload: grown }
  }
  if ((grown.length ?? end) !== end) return refused(version, 400, grown, end)
  const isRight = grown.digest === undefined || grown.digest === digestOf(grown.bytes)
  if (!isRight) return rejected(version, { ...grown, length: end, end: 'rejected' })
  return completed({ ...grown, length: end, end: 'complete' }, version, path)
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64')
}
