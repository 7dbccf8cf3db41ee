import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import type { UploadBody } from '../capabilities/upload-body.js'
import { turns } from './gate.js'

type Batches = Iterable<readonly Buffer[]> | AsyncIterable<readonly Buffer[]>

/** What a case sends: a text, bytes, or a body that it makes itself. */
export type Sent = string | Buffer | TrialBody

/** A body that remembers what the store took of it. */
export class TrialBody implements UploadBody {
  readonly size: number | undefined
  readonly #batches: Batches
  #taken = false
  #given = 0
  #ended = false

  constructor(batches: Batches, size?: number) {
    this.#batches = batches
    this.size = size
  }

  /** Bytes that were handed to the store. */
  get given(): number {
    return this.#given
  }

  /** Whether the store read to the end. */
  get ended(): boolean {
    return this.#ended
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Buffer[]> {
    assert.ok(!this.#taken, 'A body is read once')
    this.#taken = true
    for await (const batch of this.#batches) {
      this.#given += sizeOf(batch)
      yield batch
    }
    this.#ended = true
  }

  readable(): Readable {
    return Readable.from(flatten(this), { objectMode: false })
  }
}

/** A body of one batch, or the one that the case made. */
export function bodyOf(sent: Sent): TrialBody {
  if (sent instanceof TrialBody) return sent
  const bytes = Buffer.from(sent)
  return new TrialBody(bytes.length === 0 ? [] : [[bytes]], bytes.length)
}

/** A body of many batches, between which everything else gets its turn. */
export function dripping(data: Buffer, batchSize: number): TrialBody {
  async function* batches() {
    for (let start = 0; start < data.length; start += batchSize) {
      await turns(1)
      yield [Buffer.from(data.subarray(start, start + batchSize))]
    }
  }
  return new TrialBody(batches(), data.length)
}

/** Bytes of which no two stretches are alike. */
export function sample(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 255
  return bytes
}

function sizeOf(batch: readonly Buffer[]): number {
  return batch.reduce((sum, { length }) => sum + length, 0)
}

async function* flatten(batches: AsyncIterable<readonly Buffer[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield* batch
}
