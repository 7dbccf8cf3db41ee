import type { Readable } from 'node:stream'
import type { UploadBody } from '../capabilities/upload-body.js'
import { readableOf } from '../readable-of.js'

/**
 * A body that reserves space for each batch before the store gets it, and ends early without space.
 */
export class MeteredBody implements UploadBody {
  readonly #source: UploadBody
  readonly #take: (offset: number) => Promise<void>
  #offset: number
  #failure: { readonly error: unknown } | undefined

  /** `take` is called with the next offset of the upload. */
  constructor(source: UploadBody, offset: number, take: (offset: number) => Promise<void>) {
    this.#source = source
    this.#offset = offset
    this.#take = take
  }

  get size(): number | undefined {
    return this.#source.size
  }

  /** Whether it ended because space was missing. */
  get refused(): boolean {
    return this.#failure !== undefined
  }

  /** Throws the error of `take`. The store only saw the body end. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Buffer[]> {
    for await (const batch of this.#source) {
      this.#offset += batch.reduce((sum, { length }) => sum + length, 0)
      try {
        await this.#take(this.#offset)
      } catch (error) {
        this.#failure = { error }
        return
      }
      yield batch
    }
  }

  readable(): Readable {
    return readableOf(this)
  }
}
