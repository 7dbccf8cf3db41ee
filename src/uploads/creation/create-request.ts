import type { Concat, Digests, Metadata, Representation, Upload } from '../../upload.js'
import type { Chunk } from '../body/chunk.js'

/**
 * A creation as a client requests it. It is a {@link Chunk}, too, when it has a body for the
 * upload.
 */
export interface CreateRequest extends Omit<Chunk, 'body'> {
  readonly protocol: Upload['protocol']
  /** Absent when the client declares it later. */
  readonly length: number | undefined
  readonly metadata: Metadata
  readonly representation?: Representation
  /** Digests that the whole content must have. */
  readonly digests?: Digests | undefined
  readonly concat?: Concat
  readonly body?: Chunk['body']
}

/** Whether a creation has bytes for the upload. */
export function bringsChunk(request: CreateRequest): request is CreateRequest & Chunk {
  return request.body !== undefined
}
