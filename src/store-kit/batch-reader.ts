import type { UploadBody } from '../capabilities/upload-body.js'

type Batch = IteratorResult<readonly Buffer[], unknown>

/** Takes the batches of a body, and stops waiting for one when a signal aborts. */
export class BatchReader {
  readonly #iterator: AsyncIterator<readonly Buffer[]>
  readonly #signal: AbortSignal
  #closed = false
  #giveUp: ((reason: unknown) => void) | undefined
  readonly #onAbort = () => this.#giveUp?.(this.#signal.reason)

  constructor(body: UploadBody, signal: AbortSignal) {
    this.#iterator = body[Symbol.asyncIterator]()
    this.#signal = signal
    // One listener for all waits: `Promise.race` would leave a reaction on the signal's promise
    // each time.
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /**
   * Returns the next batch. Rejects with `signal.reason` once the signal has aborted. After
   * {@link BatchReader.close} there is none.
   */
  next(): Promise<Batch> {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#signal.throwIfAborted()
      this.#giveUp = reject
      this.#iterator.next().then(resolve, reject)
    })
  }

  /** Ends the body. Not awaited, because a body that waits for its client would block here. */
  close(): void {
    this.#closed = true
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#iterator.return?.().catch(() => {})
  }
}
