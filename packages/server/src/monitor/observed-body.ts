import { Readable } from 'node:stream'
import type { UploadBody } from 'tuskit'

/** A body that counts its bytes, and measures how long the store waits for its client. */
export class ObservedBody implements UploadBody {
  readonly #source: UploadBody
  readonly #onBytes: (count: number) => void
  #waitingSince: number | undefined
  #waited = 0
  #ended = false

  constructor(source: UploadBody, onBytes: (count: number) => void) {
    this.#source = source
    this.#onBytes = onBytes
  }

  get size(): number | undefined {
    return this.#source.size
  }

  /** Whether the store has had everything that came. */
  get ended(): boolean {
    return this.#ended
  }

  /** Milliseconds that the store has waited for the client until now. 0 while it is busy. */
  get idleTime(): number {
    return this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince
  }

  /** Milliseconds of all waits for the client. */
  get waited(): number {
    return this.#waited + this.idleTime
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly Buffer[], undefined> {
    const source = this.#source[Symbol.asyncIterator]()
    return {
      next: async () => {
        this.#waitingSince = performance.now()
        try {
          const result = await source.next()
          if (result.done) return this.#end()
          let count = 0
          for (const { length } of result.value) count += length
          this.#onBytes(count)
          return result
        } finally {
          this.#waited += this.idleTime
          this.#waitingSince = undefined
        }
      },
      return: async () => {
        await source.return?.()
        return this.#end()
      },
    }
  }

  readable(): Readable {
    return Readable.from(this.#pieces(), { objectMode: false })
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    for await (const batch of this) yield* batch
  }

  #end(): IteratorReturnResult<undefined> {
    this.#ended = true
    return { done: true, value: undefined }
  }
}
