import type { Readable } from 'node:stream'
import type { BodyEnd, IncomingBody, StopReason } from '../../capabilities/incoming-body.js'
import type { UploadBody } from '../../capabilities/upload-body.js'
import type { Hasher } from '../digests/hasher.js'
import type { Verifier } from '../digests/verifier.js'
import { readableOf } from '../../readable-of.js'

/** A body whose bytes are counted, limited and hashed on their way to the store. */
export class MeteredBody implements UploadBody {
  readonly #source: IncomingBody
  readonly #limit: number
  readonly #hashers: readonly Hasher[]
  #overran = false
  #given = 0
  #givenAt: number | undefined = performance.now()

  /** `limit` is the maximum number of bytes. */
  constructor(source: IncomingBody, limit: number, verifier: Verifier | undefined) {
    this.#source = source
    this.#limit = limit
    this.#hashers = verifier?.hashers ?? []
  }

  get ended(): Promise<BodyEnd> {
    return this.#source.ended
  }

  /** Whether more bytes came than the limit allows, even if the body had ended by then. */
  get overran(): boolean {
    return this.#overran
  }

  /** The bytes passed to the store so far, which limit what it can have stored. */
  get given(): number {
    return this.#given
  }

  /** Whether no byte can be stored: the chunk is empty, or the limit is 0. */
  get expectsNothing(): boolean {
    return this.#limit === 0 || this.size === 0
  }

  /**
   * How long the store has been busy with what it was given, in milliseconds; 0 while it waits for
   * more.
   */
  busyTime(): number {
    return this.#givenAt === undefined ? 0 : performance.now() - this.#givenAt
  }

  /** Takes no more bytes from the client. */
  stop(reason: StopReason): void {
    this.#source.stop(reason)
  }

  get size(): number | undefined {
    return this.#source.size
  }

  /**
   * If the size is not known, a batch that reaches the limit exactly is held until the body has
   * ended. If more bytes follow, it belongs to an overrun and is dropped. So nothing that is stored
   * ever has to be truncated.
   */
  [Symbol.asyncIterator](): AsyncIterator<readonly Buffer[], undefined> {
    const source = this.#source[Symbol.asyncIterator]()
    let left = this.#limit
    let held: readonly Buffer[] | undefined
    const end = async () => {
      held = undefined
      await source.return?.()
      return { done: true, value: undefined } as const
    }

    const give = (value: readonly Buffer[]) => {
      for (const { length } of value) this.#given += length
      return { done: false, value } as const
    }

    const next = async (): Promise<IteratorResult<readonly Buffer[], undefined>> => {
      const { done, value: batch } = await source.next()
      if (done) {
        if (held === undefined) return end()
        const value = held
        held = undefined
        return give(value)
      }
      for (const { length } of batch) left -= length
      if (left < 0) {
        this.#overran = true
        this.#source.stop('overrun')
        return end()
      }
      for (const hasher of this.#hashers) for (const buffer of batch) hasher.update(buffer)
      if (left > 0 || this.size !== undefined) return give(batch)
      held = batch
      return next()
    }
    const handOver = async () => {
      this.#givenAt = undefined
      const result = await next()
      this.#givenAt = performance.now()
      return result
    }
    return { next: handOver, return: end }
  }

  readable(): Readable {
    return readableOf(this)
  }

  /** Reads the body and stores nothing. */
  async discard(): Promise<void> {
    for await (const _ of this);
  }
}
