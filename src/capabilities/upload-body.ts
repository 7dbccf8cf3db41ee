import type { Readable } from 'node:stream'

/**
 * The bytes of one request, as stores get them: batches of buffers that arrived while the store was busy. Can
 * be read once, either by iterating or through {@link UploadBody.readable}.
 *
 * It never throws. When the client vanishes, the lock is handed over or the server stops, it ends early.
 */
export interface UploadBody extends AsyncIterable<readonly Buffer[]> {
  /** `Content-Length` of this request in bytes; absent when it is not known. The body may end before. */
  readonly size: number | undefined
  /** The same bytes as a stream, instead of iterating. */
  readable(): Readable
}
