/** The size limit of the servers that the property drives. */
export const maxSize = 220_000
/** No partial upload grows beyond this size, so that a final upload of three is never too large. */
export const maxPartial = 70_000
/** The maximum number of uploads in a history. */
export const maxUploads = 6

/**
 * The kind of an upload by its protocol, independent of storage. A tus upload is plain, partial or
 * final.
 */
export interface ModelUpload {
  readonly kind: 'plain' | 'partial' | 'final' | 'draft'
  readonly length: number | undefined
  readonly bytes: Buffer
  readonly metadata: string
  /** The partial uploads of a final one, by number. */
  readonly parts: readonly number[]
  readonly gone: boolean
  /** For draft uploads: the result of declaring the end. Absent while it has not been declared. */
  readonly end?: 'complete' | 'rejected'
  /** The digest that a finished draft upload must have. */
  readonly digest?: string
}

/** A body and its description. */
export interface Chunk {
  readonly size: number
  /** Sent without a Content-Length. */
  readonly chunked: boolean
  readonly checksum: 'none' | 'right' | 'wrong' | 'unknown' | 'malformed'
}

export interface CreateRequest {
  readonly length: number | 'deferred'
  readonly partial: boolean
  readonly metadata: string
  readonly chunk: Chunk | undefined
  readonly flaw: 'none' | 'version' | 'no length' | 'both lengths' | 'metadata' | 'too long'
}

export interface PatchRequest {
  /** The difference between `Upload-Offset` and the right one. */
  readonly shift: number
  /** `Upload-Length`, counted from the end of this chunk. */
  readonly declares: number | undefined
  /** Whether the chunk is everything that is missing, if that is known. */
  readonly fills: boolean
  readonly chunk: Chunk
  readonly flaw: 'none' | 'version' | 'type' | 'offset'
}

/** The response that must come, and the upload after it. */
export interface Outcome {
  /** The protocol of the response. Default: tus. */
  readonly by?: 'draft' | 'either'
  readonly statuses: readonly number[]
  /** The headers of the `104` before the response. Absent: there is no `104`. */
  readonly interim?: Readonly<Record<string, string>>
  /** A header with the value `undefined` must be absent. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body?: Buffer
  /** The body. Absent: it is not compared. */
  readonly upload?: ModelUpload
  /** How many bytes of a body that is too long may be kept. The response says how many were. */
  readonly mayKeep?: number
}

/** All uploads, by number. */
export class Model {
  readonly uploads: ModelUpload[] = []
  #chunks = 0

  /** Makes bytes that differ from those of every other chunk. */
  fill(size: number): Buffer {
    const salt = ++this.#chunks
    return Buffer.from(Uint8Array.from({ length: size }, (_, index) => salt * 31 + index * 7))
  }

  /** Whether a final upload still waits for this one. */
  isNeeded(number: number): boolean {
    return this.uploads.some((final) => this.#waits(final) && final.parts.includes(number))
  }

  #waits(final: ModelUpload): boolean {
    return final.kind === 'final' && !final.gone && !isFinished(final)
  }

  /** Concatenates the final uploads that are ready, and returns their numbers. */
  join(): readonly number[] {
    return [...this.uploads.keys()].filter((number) => {
      const final = this.uploads[number]!
      if (!this.#waits(final)) return false
      const joined = { ...final, ...this.joined(final.parts) }
      this.uploads[number] = joined
      return isFinished(joined)
    })
  }

  /** Returns length and bytes of a final upload, as far as its parts determine them. */
  joined(parts: readonly number[]): Pick<ModelUpload, 'length' | 'bytes'> {
    const uploads = parts.map((part) => this.uploads[part]!)
    const length = uploads.reduce<number | undefined>(
      (sum, part) =>
        sum === undefined || part.length === undefined ? undefined : sum + part.length,
      0,
    )
    const bytes = Buffer.concat(uploads.every(isFinished) ? uploads.map((part) => part.bytes) : [])
    return { length, bytes }
  }
}

/**
 * A tus upload is finished once its bytes are full, so a final upload without bytes is finished
 * from the start.
 */
export function isFinished({ bytes, end, kind, length }: ModelUpload): boolean {
  return kind === 'draft' ? end === 'complete' : bytes.length === length
}

const refused = (status: number, upload?: ModelUpload): Outcome => ({
  statuses: [status],
  headers: {},
  ...(upload && { upload }),
})

export const missing = (upload: ModelUpload): Outcome => ({
  statuses: [404, 410],
  headers: { 'upload-offset': undefined },
  upload,
})

/** A tus request must not continue or reveal a draft upload. */
const foreign = (upload: ModelUpload): Outcome => ({
  statuses: [upload.end === 'rejected' ? 400 : 409],
  headers: { 'upload-offset': undefined },
  upload,
})

export function createOutcome(request: CreateRequest, bytes: Buffer): Outcome {
  const { chunk, flaw, length, metadata, partial } = request
  if (flaw === 'version') return refused(412)
  if (flaw === 'too long') return refused(413)
  if (flaw !== 'none') return refused(400)
  if (chunk?.checksum === 'unknown' || chunk?.checksum === 'malformed') return refused(400)
  const upload: ModelUpload = {
    kind: partial ? 'partial' : 'plain',
    length: length === 'deferred' ? undefined : length,
    bytes: Buffer.alloc(0),
    metadata,
    parts: [],
    gone: false,
  }
  const created = { statuses: [201], headers: {}, upload }
  if (chunk === undefined) return created
  const taken = takeChunk(upload, chunk, bytes)
  return taken.statuses[0] === 204 ? { ...taken, statuses: [201] } : taken
}

export function createFinalOutcome(model: Model, parts: readonly number[]): Outcome {
  const uploads = parts.map((part) => model.uploads[part]!)
  if (uploads.some((part) => part.gone || part.kind !== 'partial')) return refused(400)
  const joined = model.joined(parts)
  if ((joined.length ?? 0) > maxSize) return refused(413)
  const upload: ModelUpload = { kind: 'final', ...joined, metadata: '', parts, gone: false }
  const offset = isFinished(upload) ? String(upload.length) : undefined
  return { statuses: [201], headers: { 'upload-offset': offset }, upload }
}

export function patchOutcome(
  upload: ModelUpload,
  request: PatchRequest,
  sent: { readonly offset: number; readonly length: number | undefined; readonly bytes: Buffer },
): Outcome {
  if (request.flaw === 'version') return refused(412, upload)
  if (request.flaw === 'type') return refused(415, upload)
  if (request.flaw === 'offset') return refused(400, upload)
  if (upload.gone) return missing(upload)
  if (upload.kind === 'draft') return foreign(upload)
  if (upload.kind === 'final') return refused(403, upload)
  const offset = upload.bytes.length
  if (sent.offset !== offset) {
    return { ...refused(409, upload), headers: { 'upload-offset': String(offset) } }
  }
  if (sent.length === undefined || sent.length === upload.length) {
    return takeChunk(upload, request.chunk, sent.bytes)
  }
  if (upload.length !== undefined || sent.length < offset) return refused(400, upload)
  if (sent.length > maxSize) return refused(413, upload)
  if (!request.chunk.chunked && sent.bytes.length > sent.length - offset) {
    return { statuses: [413], headers: { 'upload-offset': String(offset) }, upload }
  }
  // Once declared, a length is recorded, whatever becomes of the chunk.
  return takeChunk({ ...upload, length: sent.length }, request.chunk, sent.bytes)
}

function takeChunk(upload: ModelUpload, chunk: Chunk, bytes: Buffer): Outcome {
  const offset = upload.bytes.length
  const room = (upload.length ?? maxSize) - offset
  const stays = { headers: { 'upload-offset': String(offset) }, upload }
  const tooLong = bytes.length > room
  if (tooLong && !chunk.chunked) return { statuses: [413], ...stays }
  if (chunk.checksum === 'unknown' || chunk.checksum === 'malformed') return refused(400, upload)
  if (tooLong && chunk.checksum !== 'none') return { statuses: [413], ...stays }
  // Bytes that came before the body was seen to be too long may be stored, but never enough to fill
  // the upload.
  if (tooLong) return { ...refused(413, upload), mayKeep: Math.max(0, room - 1) }
  if (chunk.checksum === 'wrong') return { statuses: [460], ...stays }
  const next = { ...upload, bytes: Buffer.concat([upload.bytes, bytes]) }
  return { statuses: [204], headers: { 'upload-offset': String(next.bytes.length) }, upload: next }
}

export function headOutcome(upload: ModelUpload, concat: string | undefined): Outcome {
  if (upload.gone) return missing(upload)
  if (upload.kind === 'draft') return foreign(upload)
  const { length, metadata, kind } = upload
  const known = kind !== 'final' || isFinished(upload)
  return {
    statuses: [200],
    headers: {
      'upload-offset': known ? String(upload.bytes.length) : undefined,
      'upload-length': length === undefined ? undefined : String(length),
      'upload-defer-length': length === undefined && kind !== 'final' ? '1' : undefined,
      'upload-metadata': metadata === '' ? undefined : metadata,
      'upload-concat': concat,
    },
    upload,
  }
}

export function deleteOutcome(upload: ModelUpload, needed: boolean): Outcome {
  if (upload.gone) return missing(upload)
  if (needed) return refused(409, upload)
  return { statuses: [204], headers: {}, upload: { ...upload, gone: true } }
}

export interface RangeRequest {
  readonly first: number | undefined
  readonly last: number | undefined
}

/** `GET` with `Tus-Resumable`: the headers of `HEAD`, together with the content if there is any. */
export function headByGetOutcome(
  upload: ModelUpload,
  concat: string | undefined,
  range: RangeRequest | undefined,
): Outcome {
  const state = headOutcome(upload, concat)
  if (!upload.gone && !isFinished(upload)) {
    return upload.kind === 'draft' ? getOutcome(upload, range) : { ...state, statuses: [204] }
  }
  const content = getOutcome(upload, range)
  const isServed = !upload.gone && upload.kind !== 'draft' && content.statuses[0] !== 416
  return isServed ? { ...content, headers: { ...state.headers, ...content.headers } } : content
}

export function getOutcome(upload: ModelUpload, range: RangeRequest | undefined): Outcome {
  if (upload.gone) return missing(upload)
  if (upload.end === 'rejected') return refused(400, upload)
  if (!isFinished(upload)) return refused(409, upload)
  const { bytes } = upload
  const whole = { statuses: [200], headers: {}, body: bytes, upload }
  if (range === undefined || bytes.length === 0) return whole
  const { first, last } = range
  if (first === undefined && last === undefined) return whole
  if (first !== undefined && last !== undefined && last < first) return whole
  const start = first ?? Math.max(0, bytes.length - last!)
  const end = first === undefined ? bytes.length : Math.min(bytes.length, (last ?? Infinity) + 1)
  if (start >= bytes.length) return refused(416, upload)
  return { statuses: [206], headers: {}, body: bytes.subarray(start, end), upload }
}
