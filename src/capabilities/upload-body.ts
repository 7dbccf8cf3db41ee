import type { Readable } from 'node:stream'

/**
 * The bytes of one request, as stores get them: batches of buffers that arrived while the store was
 * busy. You can read it once, either by iterating or through {@link UploadBody.readable}.
 *
 * It never throws. It ends early when the client vanishes, the lock is handed over or the server
 * stops.
 */
export interface UploadBody extends AsyncIterable<readonly Buffer[]> {
  /** `Content-Length` of the request in bytes, if it is known. The body may end before. */
  readonly size: number | undefined
  /** Returns the same bytes as a stream. */
  readable(): Readable
}
