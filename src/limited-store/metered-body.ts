import { Readable } from 'node:stream'
import type { UploadBody } from '../capabilities/upload-body.js'

/** A body that takes room for each batch before the store gets it, and ends early when there is none. */
export class MeteredBody implements UploadBody {
  readonly #source: UploadBody
  readonly #take: (offset: number) => Promise<void>
  #offset: number
  #refusal: { readonly error: unknown } | undefined

  /** `take` is called with the offset at which the upload will stand. */
  constructor(source: UploadBody, offset: number, take: (offset: number) => Promise<void>) {
    this.#source = source
    this.#offset = offset
    this.#take = take
  }

  get size(): number | undefined {
    return this.#source.size
  }

  /** Whether it ended for want of room. */
  get refused(): boolean {
    return this.#refusal !== undefined
  }

  /** Throws what `take` threw. To the store, the body has just ended. */
  check(): void {
    if (this.#refusal !== undefined) throw this.#refusal.error
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Buffer[]> {
    for await (const batch of this.#source) {
      this.#offset += batch.reduce((sum, { length }) => sum + length, 0)
      try {
        await this.#take(this.#offset)
      } catch (error) {
        this.#refusal = { error }
        return
      }
      yield batch
    }
  }

  readable(): Readable {
    return Readable.from(flatten(this), { objectMode: false })
  }
}

async function* flatten(batches: AsyncIterable<readonly Buffer[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield* batch
}
