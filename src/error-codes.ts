/**
 * Every error code with its HTTP status and its sentence. Codes are stable, sentences are not.
 * `docs/errors.md` has a heading for each.
 */
export const errors = {
  // The request
  ERR_UNSUPPORTED_VERSION: [
    412,
    'Send "Tus-Resumable: 1.0.0", the version that this server supports',
  ],
  ERR_UNSUPPORTED_INTEROP_VERSION: [
    400,
    'Send the whole upload in one request, or use "Upload-Draft-Interop-Version" 3 to 9',
  ],
  ERR_METHOD_NOT_ALLOWED: [
    405,
    'This URL does not support the method; use one of those in the Allow header',
  ],
  ERR_NOT_FOUND: [404, 'There is nothing at this URL; use the Location of the creation unchanged'],
  ERR_INVALID_CONTENT_TYPE: [415, 'Send "Content-Type: application/offset+octet-stream"'],
  ERR_INVALID_OFFSET: [400, 'Send Upload-Offset as a non-negative integer'],
  ERR_INVALID_LENGTH: [400, 'Send Upload-Length as a non-negative integer'],
  ERR_INVALID_DEFER_LENGTH: [
    400,
    'Send "Upload-Defer-Length: 1", and only while the length is not known',
  ],
  ERR_MISSING_LENGTH: [400, 'Send Upload-Length, or "Upload-Defer-Length: 1"'],
  ERR_AMBIGUOUS_LENGTH: [400, 'Send either Upload-Length or Upload-Defer-Length, not both'],
  ERR_INVALID_COMPLETE: [
    400,
    'Send "Upload-Complete: ?1" with the last bytes, and "Upload-Complete: ?0" with all before them',
  ],
  ERR_UNEXPECTED_FIELD: [
    400,
    'To ask for the offset or to cancel, leave out Upload-Offset and Upload-Complete',
  ],
  ERR_INVALID_METADATA: [
    400,
    'Send Upload-Metadata as comma-separated pairs of a unique key and a Base64 value',
  ],
  ERR_INVALID_CONCAT: [
    400,
    'Send Upload-Concat as "partial", or as "final;" and the URLs of partial uploads',
  ],
  ERR_INVALID_CHECKSUM: [
    400,
    'Send Upload-Checksum as the name of an algorithm, a space, and the digest in Base64',
  ],
  ERR_UNSUPPORTED_CHECKSUM: [
    400,
    'The checksum algorithm is not supported; use one of those in Tus-Checksum-Algorithm',
  ],
  ERR_INVALID_DIGEST: [
    400,
    'Send Content-Digest and Repr-Digest as dictionaries of byte sequences of the right length',
  ],
  ERR_UNSUPPORTED_DIGEST: [400, 'The server cannot verify any of the digests'],
  ERR_INVALID_RANGE: [
    416,
    'The requested range lies outside the upload; see Content-Range for its size',
  ],
  ERR_EXTENSION_DISABLED: [
    400,
    'This server does not offer an extension that the request uses; see Tus-Extension',
  ],
  ERR_HEADERS_TOO_LARGE: [
    431,
    'The headers are too large; send less metadata, or fewer partial uploads at a time',
  ],
  ERR_ACCESS_DENIED: [403, 'Access denied'],
  ERR_REJECTED: [400, 'The upload was rejected'],
  // The upload
  ERR_UPLOAD_NOT_FOUND: [404, 'The upload does not exist'],
  ERR_UPLOAD_GONE: [410, 'The upload has been removed or has expired'],
  ERR_UPLOAD_NOT_FINISHED: [409, 'The upload is not finished'],
  ERR_UPLOAD_REFERENCED: [
    409,
    'An unfinished final upload needs this partial upload; terminate the final one first',
  ],
  ERR_UPLOAD_COMPLETE: [409, 'The upload is complete; nothing can be appended to it'],
  ERR_PROTOCOL_MISMATCH: [
    409,
    'The upload was created with another protocol; continue it with that one',
  ],
  ERR_PARTIAL_NOT_FINISHED: [400, 'A partial upload is not finished; finish all of them first'],
  ERR_TOO_MANY_PARTIALS: [
    400,
    'Upload-Concat lists too many partial uploads; use fewer, larger ones',
  ],
  ERR_TOO_MANY_FINALS: [
    400,
    'Too many unfinished final uploads need a partial upload; finish or terminate one first',
  ],
  ERR_FINAL_UPLOAD: [403, 'A final upload takes no data; send it to a partial upload'],
  ERR_OFFSET_MISMATCH: [
    409,
    'Upload-Offset is not the current offset; resume from the one in this response',
  ],
  ERR_LENGTH_MISMATCH: [
    400,
    'The length differs from the one declared before, or is below what is already stored',
  ],
  ERR_LENGTH_EXCEEDED: [
    413,
    'The body exceeds the declared length; send only the bytes that are missing',
  ],
  ERR_MAX_SIZE_EXCEEDED: [
    413,
    'The upload is larger than this server accepts; OPTIONS reports the limit',
  ],
  ERR_UPLOAD_TOO_SMALL: [400, 'The upload is too small to be split; send it in one request'],
  ERR_APPEND_TOO_LARGE: [
    413,
    'The body is larger than this server accepts in one request; send smaller ones',
  ],
  ERR_APPEND_TOO_SMALL: [400, 'The body is too small; only the last one may be'],
  ERR_DIGEST_MISMATCH: [400, 'The digest does not match the data'],
  ERR_CHECKSUM_MISMATCH: [
    460,
    'The checksum does not match, so the data was discarded; send it again',
  ],
  // Choices of the application for a new upload, usually based on what the client sent
  ERR_ID_TAKEN: [422, 'An upload with this id already exists'],
  ERR_INVALID_UPLOAD_ID: [
    422,
    'The id chosen for the upload is not 1 to 200 of A-Z a-z 0-9 - . _ ~ +',
  ],
  ERR_INVALID_PLACE: [422, 'The place chosen for the upload lies outside the storage'],
  ERR_DATA_EXISTS: [422, 'The storage already holds data at the place of the new upload'],
  // Waiting and interruption
  ERR_UPLOAD_LOCKED: [423, 'Another request holds the upload; try again'],
  ERR_UPLOAD_BUSY: [503, 'The upload is being finished; try again'],
  ERR_BODY_STALLED: [503, 'No data came for too long; resume from the current offset'],
  ERR_BODY_INCOMPLETE: [503, 'The request ended early; resume from the current offset'],
  ERR_SERVER_SHUTDOWN: [503, 'The server is shutting down; resume or try again later'],
  ERR_LOCK_LOST: [503, 'The request lost the lock of the upload; ask for the offset and resume'],
  ERR_FLUSH_TIMEOUT: [503, 'The storage is too slow; ask for the offset and resume'],
  // Stores, lockers, hooks
  ERR_DATA_MISSING: [500, 'The storage holds no data for the upload'],
  ERR_INFO_CONFLICT: [500, 'Another writer changed the record of the upload'],
  ERR_INFO_CORRUPT: [500, 'The record of the upload cannot be read'],
  ERR_INFO_FORMAT: [500, 'The record of the upload was written by a newer version of this server'],
  ERR_STORAGE_UNAVAILABLE: [503, 'The storage cannot be reached right now; try again'],
  ERR_STORAGE_FULL: [507, 'The storage is full'],
  ERR_HOOK_FAILED: [500, 'A hook failed'],
  ERR_HOOK_REPLY: [502, 'A program that decides about uploads gave a wrong reply'],
  ERR_HOOK_UNAVAILABLE: [503, 'A program that decides about uploads cannot be reached; try again'],
  ERR_HOOK_TIMEOUT: [504, 'A program that decides about uploads took too long; try again'],
  ERR_NOT_SUPPORTED: [501, 'The stores of this server do not support the operation'],
  ERR_INTERNAL: [500, 'Internal error'],
} as const satisfies Record<string, readonly [status: number, message: string]>

/** A stable name of a failure. */
export type ErrorCode = keyof typeof errors
