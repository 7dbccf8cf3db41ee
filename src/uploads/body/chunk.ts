import type { IncomingBody } from '../../capabilities/incoming-body.js'
import type { RecordedResponse, Upload } from '../../upload.js'
import type { ChunkDigest } from '../digests/verifier.js'
import type { Exchange } from '../exchange.js'

/**
 * The protocol's callbacks in an operation, in the order in which they are called. An operation
 * ends with the error that a callback throws.
 */
export interface Callbacks {
  /** The hooks chose the response to the creation, in case it succeeds. */
  onResponse?(response: RecordedResponse): void
  /**
   * The upload exists and holds `offset` bytes. From now on, responses may report it, even to
   * errors.
   */
  onUpload?(upload: Upload, offset: number): void
  /** Returns the total length that an append declares. Called when its offset is right. */
  declaredLength?(upload: Upload): number | undefined
  /** Returns the digest to verify. Called when everything else is right. */
  digest?(): ChunkDigest | undefined
  /** The upload holds `offset` bytes that count. Called while bytes come in. */
  onProgress?(offset: number): void
}

/** The bytes that a request sends. */
export interface Chunk {
  readonly body: IncomingBody
  /**
   * Whether the body is declared to be the end of the upload (IETF draft). Absent where the length
   * alone decides.
   */
  readonly completes?: boolean
  /**
   * Whether more bytes than the length allows end the upload permanently (IETF draft). Default: the
   * upload continues.
   */
  readonly overrunEnds?: boolean
  readonly callbacks: Callbacks
  readonly exchange: Exchange
}

/** An upload after a chunk. */
export interface Received {
  readonly upload: Upload
  readonly offset: number
}

/**
 * Whether a chunk is recorded as the last one before it is received; see {@link Upload.completes}.
 * An empty body, or one of unknown size, shows only at its end that it is complete.
 */
export function declaresEnd({ completes = false, body }: Chunk): boolean {
  return completes && (body.size ?? 0) > 0
}
