import type { Digests, FinalResponse } from './upload.js'

const brand = Symbol.for('tuskit.error')

/**
 * Every error code with its HTTP status and its sentence. Codes are stable, sentences are not. `docs/errors.md`
 * has a heading for each.
 */
export const errors = {
  // The request
  ERR_UNSUPPORTED_VERSION: [412, 'Send "Tus-Resumable: 1.0.0"; this server speaks that version'],
  ERR_UNSUPPORTED_INTEROP_VERSION: [
    400,
    'Send a chunk of an upload with "Upload-Draft-Interop-Version" 3 to 9, or the whole at once',
  ],
  ERR_METHOD_NOT_ALLOWED: [405, 'This URL does not support the method; see the Allow header'],
  ERR_NOT_FOUND: [404, 'There is nothing at this URL'],
  ERR_INVALID_CONTENT_TYPE: [415, 'Send "Content-Type: application/offset+octet-stream"'],
  ERR_INVALID_OFFSET: [400, 'Upload-Offset must be a non-negative integer'],
  ERR_INVALID_LENGTH: [400, 'Upload-Length must be a non-negative integer'],
  ERR_INVALID_DEFER_LENGTH: [
    400,
    'Upload-Defer-Length must be 1, and only while the length is not known',
  ],
  ERR_MISSING_LENGTH: [400, 'Send Upload-Length, or "Upload-Defer-Length: 1"'],
  ERR_AMBIGUOUS_LENGTH: [400, 'Send either Upload-Length or Upload-Defer-Length, not both'],
  ERR_INVALID_COMPLETE: [
    400,
    'Send "Upload-Complete: ?1" with the end of the upload, "Upload-Complete: ?0" before',
  ],
  ERR_UNEXPECTED_FIELD: [
    400,
    'To ask for the offset or to cancel, leave out Upload-Offset and Upload-Complete',
  ],
  ERR_INVALID_METADATA: [
    400,
    'Upload-Metadata must be comma-separated pairs of key and Base64 value, keys unique',
  ],
  ERR_INVALID_CONCAT: [
    400,
    'Upload-Concat must be "partial", or "final;" and the URLs of partial uploads',
  ],
  ERR_INVALID_CHECKSUM: [
    400,
    'Upload-Checksum must be the name of an algorithm, a space, and the digest in Base64',
  ],
  ERR_UNSUPPORTED_CHECKSUM: [
    400,
    'The checksum algorithm is not supported; see Tus-Checksum-Algorithm',
  ],
  ERR_INVALID_DIGEST: [
    400,
    'Content-Digest and Repr-Digest must be dictionaries of byte sequences as long as the digests',
  ],
  ERR_UNSUPPORTED_DIGEST: [400, 'None of the digest algorithms is supported'],
  ERR_INVALID_RANGE: [416, 'The requested range lies outside the upload'],
  ERR_EXTENSION_DISABLED: [
    400,
    'The request uses an extension that this server does not offer; see Tus-Extension',
  ],
  ERR_HEADERS_TOO_LARGE: [
    431,
    'The headers are larger than this server accepts; send less metadata, or fewer partial uploads',
  ],
  ERR_ACCESS_DENIED: [403, 'Access denied'],
  ERR_REJECTED: [400, 'The upload was rejected'],
  // The upload
  ERR_UPLOAD_NOT_FOUND: [404, 'The upload does not exist'],
  ERR_UPLOAD_GONE: [410, 'The upload has been removed or has expired'],
  ERR_UPLOAD_NOT_FINISHED: [409, 'The upload is not finished'],
  ERR_UPLOAD_REFERENCED: [409, 'An unfinished final upload needs this partial upload'],
  ERR_UPLOAD_COMPLETE: [409, 'The upload is complete; nothing can be appended to it'],
  ERR_PROTOCOL_MISMATCH: [
    409,
    'The upload was created by another protocol; continue it by that one',
  ],
  ERR_PARTIAL_NOT_FINISHED: [400, 'A partial upload is not finished'],
  ERR_TOO_MANY_PARTIALS: [400, 'Upload-Concat lists more partial uploads than this server accepts'],
  ERR_TOO_MANY_FINALS: [
    400,
    'Too many unfinished final uploads refer to a partial upload; finish or terminate one first',
  ],
  ERR_FINAL_UPLOAD: [403, 'A final upload takes no data of its own'],
  ERR_OFFSET_MISMATCH: [
    409,
    'Upload-Offset is not the current offset; resume from the one in this response',
  ],
  ERR_LENGTH_MISMATCH: [
    400,
    'The length contradicts the one declared before or the bytes stored already',
  ],
  ERR_LENGTH_EXCEEDED: [413, 'The body has more bytes than the declared length leaves room for'],
  ERR_MAX_SIZE_EXCEEDED: [
    413,
    'The upload is larger than this server accepts; OPTIONS tells the limit',
  ],
  ERR_UPLOAD_TOO_SMALL: [400, 'So small an upload cannot come in chunks; send it in one request'],
  ERR_APPEND_TOO_LARGE: [413, 'The body has more bytes than this server takes in one request'],
  ERR_APPEND_TOO_SMALL: [
    400,
    'The body has fewer bytes than this server takes in one request, unless it is the last one',
  ],
  ERR_DIGEST_MISMATCH: [400, 'The digest does not match the data'],
  ERR_CHECKSUM_MISMATCH: [
    460,
    'The checksum does not match; the data of this request was discarded',
  ],
  // What the application chose for a new upload, usually by what the client sent
  ERR_ID_TAKEN: [422, 'An upload with this id exists already'],
  ERR_INVALID_UPLOAD_ID: [422, 'The id made for the upload is not 1 to 128 of A-Z a-z 0-9 - . _ ~'],
  ERR_INVALID_PLACE: [422, 'The place chosen for the upload lies outside the storage'],
  ERR_DATA_EXISTS: [422, 'The storage already holds data at the place of the new upload'],
  // Waiting and interruption
  ERR_UPLOAD_LOCKED: [423, 'Another request holds the upload; try again'],
  ERR_UPLOAD_BUSY: [503, 'The upload is being finished; try again'],
  ERR_BODY_STALLED: [503, 'No data came for too long; what arrived is stored, resume from there'],
  ERR_BODY_INCOMPLETE: [503, 'The request ended early; what arrived is stored, resume from there'],
  ERR_SERVER_SHUTDOWN: [503, 'The server is shutting down; what arrived is stored, resume later'],
  ERR_LOCK_LOST: [
    503,
    'The upload changed hands during the request; ask for the offset and resume',
  ],
  ERR_FLUSH_TIMEOUT: [503, 'The storage is too slow; ask for the offset and resume'],
  // Stores, lockers, hooks
  ERR_DATA_MISSING: [500, 'The storage holds no data for the upload'],
  ERR_INFO_CONFLICT: [500, 'The record of the upload was changed by somebody else'],
  ERR_INFO_CORRUPT: [500, 'The record of the upload cannot be read'],
  ERR_INFO_FORMAT: [500, 'The record of the upload was written by a newer version of this server'],
  ERR_STORAGE_UNAVAILABLE: [503, 'The storage cannot be reached right now; try again'],
  ERR_STORAGE_FULL: [507, 'The storage is full'],
  ERR_HOOK_FAILED: [500, 'A hook failed'],
  ERR_NOT_SUPPORTED: [501, 'The stores of this server do not support the operation'],
  ERR_INTERNAL: [500, 'Internal error'],
} as const satisfies Record<string, readonly [status: number, message: string]>

/** A stable name for what went wrong. */
export type ErrorCode = keyof typeof errors

/** Details of one {@link TusError}; what is absent comes from the table of codes. */
export interface TusErrorOptions {
  /**
   * Replaces the sentence of the table. It is shown to clients; with status 422 or 500 it is only logged, as it may tell
   * of the inside of the server.
   */
  readonly message?: string
  /** The error that led to this one. It is logged, never shown to clients. */
  readonly cause?: unknown
  /** Response headers that belong to the error. */
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes that are stored, when the client can resume from there. */
  readonly offset?: number | undefined
  /** An answer that the application chose: replaces status, headers and sentence. */
  readonly response?: FinalResponse
  /** Whether that answer is the recorded end of the upload. Default `false`. */
  readonly final?: boolean
  /** The most bytes that the upload may have, when that is what it says. */
  readonly maxSize?: number
  /** The digests of the client that differ, when that is what it says; in Base64, by algorithm. */
  readonly digests?: Digests | undefined
}

/**
 * A failure with a stable code. Recognise it by {@link isTusError} or by `code`, never by `instanceof`:
 * the ESM and CommonJS builds each have their own copy of the class.
 *
 * As in Node's own errors, `stack` and `toString()` begin with name and code, such as
 * `TusError [ERR_UPLOAD_GONE]: …`. Optional members are own properties only when they are set.
 */
export class TusError extends Error {
  declare readonly name: 'TusError'
  readonly code: ErrorCode
  /** The HTTP status of the response. */
  readonly status: number
  /** Response headers that belong to the error. Empty unless set. */
  declare readonly headers: Readonly<Record<string, string>>
  /** Bytes that are stored, if the client can resume from there. */
  declare readonly offset: number | undefined
  /** The response that the application chose, if it did. */
  declare readonly response: FinalResponse | undefined
  /** Whether that response is recorded as the end of the upload. `false` unless set. */
  declare readonly final: boolean
  /** The maximum size of the upload in bytes, if the error is about that. */
  declare readonly maxSize: number | undefined
  /** The client's digests that do not match, if the error is about them: in Base64, by algorithm. */
  declare readonly digests: Digests | undefined

  static {
    const hidden = { name: 'TusError', headers: Object.freeze({}), final: false, [brand]: true }
    for (const key of Reflect.ownKeys(hidden)) {
      const value: unknown = Reflect.get(hidden, key)
      Object.defineProperty(this.prototype, key, { value, writable: true, configurable: true })
    }
  }

  constructor(code: ErrorCode, options: TusErrorOptions = {}) {
    const [status, sentence] = errors[code]
    const { cause, response, offset, maxSize, digests } = options
    const message = String(response?.body ?? options.message ?? sentence)
    // A stack costs more than everything else here: captureStack() makes the only one.
    const { stackTraceLimit } = Error
    Reflect.set(Error, 'stackTraceLimit', 0)
    super(message, cause === undefined ? undefined : { cause })
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
    captureStack(this, `TusError [${code}]`, new.target)
    this.code = code
    this.status = response?.status ?? status
    const headers = response?.headers ?? options.headers
    if (headers !== undefined) this.headers = headers
    if (offset !== undefined) this.offset = offset
    if (response !== undefined) this.response = response
    if (options.final) this.final = true
    if (maxSize !== undefined) this.maxSize = maxSize
    if (digests !== undefined) this.digests = digests
  }

  override toString(): string {
    return `${this.name} [${this.code}]: ${this.message}`
  }
}

/**
 * Captures the stack of `error` with `name` in its first line. V8 takes that line from an error's
 * `name` when the stack is first read, so a stand-in with that name holds the stack. Reading it
 * here would format it, which is slow and rarely needed.
 */
function captureStack(error: Error, name: string, constructor: Function): void {
  const { message } = error
  const holder: Error = Object.create(Error.prototype, {
    name: { value: name },
    message: { value: message },
  })
  Error.captureStackTrace(holder, constructor)
  Object.defineProperty(error, 'stack', {
    configurable: true,
    get: () => holder.stack,
    set: (value: unknown) =>
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true }),
  })
}

/** Whether a value is a {@link TusError}, of whatever copy of tuskit, and of the given code if there is one. */
export function isTusError(value: unknown, code?: ErrorCode): value is TusError {
  return (
    typeof value === 'object' &&
    value !== null &&
    brand in value &&
    (code === undefined || (value as { code?: unknown }).code === code)
  )
}
