import type { ReadOptions } from '../capabilities/call-options.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import { checkOptions, must } from '../check-options.js'
import { BatchReader } from './batch-reader.js'

/** Options of {@link segments}. */
export interface SegmentsOptions extends ReadOptions {
  /** The size of each segment in bytes. Only the last one can be shorter. */
  readonly size: number
}

/** Bytes for which the memory of a whole segment would be too much. */
const small = 262_144

const rules = {
  size: { ...must.beBytes, required: true },
  signal: { ...must.beSignal, required: true },
}

/**
 * Yields the bytes of a body as buffers of exactly `size` bytes, the last one shorter. Yields
 * nothing for an empty body. Use it for a storage that takes bytes in parts of a fixed size, such
 * as object storage or a database.
 *
 * While you store one segment, the next one gathers, so that neither the client nor the storage
 * waits for the other. An upload therefore needs up to two segments of memory, and a batch of the
 * body.
 *
 * When the signal aborts, the generator stops waiting for the body at once and throws
 * `signal.reason`.
 *
 * @example
 * for await (const part of segments(body, { size: 8 * 1024 * 1024, signal: options.signal })) {
 *   assertMayChange(options)
 *   await this.#bucket.putPart(upload.id, part)
 * }
 */
export function segments(
  body: UploadBody,
  options: SegmentsOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const { size, signal } = checkOptions('segments', options, rules)
  return gatherAll(body, size, signal)
}

async function* gatherAll(
  body: UploadBody,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  // Only when the first segment is taken, so that there is a body to end afterwards.
  const gatherer = new Gatherer(body, size, signal)
  try {
    let gathering = gatherer.next()
    for (;;) {
      const segment = await gathering
      signal.throwIfAborted()
      if (segment === undefined) return
      gathering = gatherer.next()
      // It may fail while the consumer is busy, or never be awaited because the consumer has
      // stopped.
      gathering.catch(() => {})
      yield segment
    }
  } finally {
    gatherer.close()
  }
}

/** Gathers the batches of a body into segments. */
class Gatherer {
  readonly #reader: BatchReader
  readonly #size: number
  /** Bytes that have not come yet, if the body has declared its size. */
  #expected: number | undefined
  /** The last batch, and where the bytes begin that belong to the next segment. */
  #batch: readonly Buffer[] = []
  #index = 0
  #start = 0

  constructor(body: UploadBody, size: number, signal: AbortSignal) {
    this.#reader = new BatchReader(body, signal)
    this.#size = size
    this.#expected = body.size
  }

  /** Returns the next segment, or `undefined` after the last one. */
  async next(): Promise<Buffer | undefined> {
    let segment: Buffer = Buffer.alloc(0)
    let filled = 0
    for (;;) {
      while (this.#index < this.#batch.length) {
        if (filled === this.#size) return segment
        const bytes = this.#batch[this.#index]!.subarray(this.#start)
        const length = Math.min(this.#size - filled, bytes.length)
        if (filled + length > segment.length) segment = this.#enlarged(segment, filled, length)
        bytes.copy(segment, filled, 0, length)
        filled += length
        if (this.#expected !== undefined) this.#expected -= length
        this.#start += length
        if (length < bytes.length) continue
        this.#index++
        this.#start = 0
      }
      if (filled === this.#size) return segment
      const { done, value } = await this.#reader.next()
      if (done) return filled === 0 ? undefined : segment.subarray(0, filled)
      this.#batch = value
      this.#index = 0
    }
  }

  close(): void {
    this.#reader.close()
  }

  /**
   * Returns a buffer with the same bytes and space for `length` more. The first one is small or has
   * the declared size, and the next one holds a whole segment, so bytes are copied at most once
   * more. The system provides the memory only as it is filled.
   */
  #enlarged(segment: Buffer, filled: number, length: number): Buffer {
    const first = segment.length === 0 ? (this.#expected ?? small) : 0
    const capacity = first < length ? this.#size : Math.min(first, this.#size)
    const larger = Buffer.allocUnsafeSlow(capacity)
    segment.copy(larger, 0, 0, filled)
    return larger
  }
}
