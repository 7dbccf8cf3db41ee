/** The limit of the servers that the property drives. */
export const maxSize = 220_000
/** No partial upload grows beyond this, so that a final upload of three is never too large later on. */
export const maxPartial = 70_000
/** No history has more uploads than this. */
export const maxUploads = 6

/** What an upload is by its protocol, whatever keeps it. Those of tus are plain, partial or final. */
export interface ModelUpload {
  readonly kind: 'plain' | 'partial' | 'final' | 'draft'
  readonly length: number | undefined
  readonly bytes: Buffer
  readonly metadata: string
  /** The partial uploads of a final one, by number. */
  readonly parts: readonly number[]
  readonly gone: boolean
  /** What has become of one of the draft when its end was told. Absent: that was not told. */
  readonly end?: 'complete' | 'rejected'
  /** The digest that one of the draft must have in the end. */
  readonly digest?: string
}

/** A body, and what is said about it. */
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
  /** How far Upload-Offset is from the right one. */
  readonly shift: number
  /** Upload-Length, counted from the end of this chunk. */
  readonly declares: number | undefined
  /** Whether the chunk is all that is missing, if that can be said. */
  readonly fills: boolean
  readonly chunk: Chunk
  readonly flaw: 'none' | 'version' | 'type' | 'offset'
}

/** What the answer must be, and the upload after it. */
export interface Outcome {
  /** The protocol that the answer speaks. Default: tus. */
  readonly by?: 'draft' | 'either'
  readonly statuses: readonly number[]
  /** The headers of a `104` that comes before. Absent: none comes. */
  readonly interim?: Readonly<Record<string, string>>
  /** `undefined`: the header is absent. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body?: Buffer
  /** Absent: there is none. */
  readonly upload?: ModelUpload
  /** How many bytes of a body that is too long may be kept; the answer says how many were. */
  readonly mayKeep?: number
}

/** Everything that exists, by number. */
export class Model {
  readonly uploads: ModelUpload[] = []
  #chunks = 0

  /** Bytes that differ from those of every other chunk. */
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

  /** Joins the final uploads that can be joined, and tells which. */
  join(): readonly number[] {
    return [...this.uploads.keys()].filter((number) => {
      const final = this.uploads[number]!
      if (!this.#waits(final)) return false
      const joined = { ...final, ...this.joined(final.parts) }
      this.uploads[number] = joined
      return isFinished(joined)
    })
  }

  /** Length and bytes of a final upload, as far as its parts let one say. */
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

/** In tus full bytes are all it takes, so a final upload of nothing is finished from the start. */
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

/** An upload of the draft is neither continued by tus nor told of. */
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
  // Otherwise it stands once it is declared, whatever becomes of the chunk.
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
  // What came before it was seen to be too long may have been stored, but never so much that the upload is full.
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

/** GET with Tus-Resumable: what HEAD reports, and the content beside it when there is some. */
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
