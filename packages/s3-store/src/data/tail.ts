import { randomBytes } from 'node:crypto'
import { TusError } from 'tuskit'
import type { Bucket, Condition, ObjectHead, ObjectParameters } from '../bucket/bucket.js'

/** The object with the bytes that do not fill a part yet. */
export interface Tail {
  /** The offset of its first byte. All bytes before it are stored in parts. */
  readonly start: number
  /** How many bytes it has. */
  readonly size: number
  readonly etag: string
}

/** Ends the content, so that each version has another ETag, even with the same bytes. */
const markSize = 16

/**
 * Reads and writes the tail of an upload. It exists from the creation of an upload until it is
 * finished, and is only ever overwritten meanwhile: a reader in another process would otherwise see
 * bytes disappear.
 */
export class TailObject {
  readonly #bucket: Bucket
  readonly #key: string
  readonly #id: string
  readonly #parameters: ObjectParameters

  constructor(bucket: Bucket, key: string, id: string, parameters: ObjectParameters) {
    this.#bucket = bucket
    this.#key = key
    this.#id = id
    this.#parameters = parameters
  }

  /** Returns nothing if the tail is that of another upload, which has the same key. */
  async head(signal: AbortSignal): Promise<Tail | undefined> {
    const found = await this.#bucket.head(this.#key, signal)
    return found?.metadata['tuskit-id'] === this.#id ? tailOf(found) : undefined
  }

  /** Returns the bytes of a tail that is known to exist. */
  async read(tail: Tail, signal: AbortSignal): Promise<Buffer> {
    if (tail.size === 0) return Buffer.alloc(0)
    const found = await this.#bucket.read(this.#key, signal)
    if (found?.etag !== tail.etag) {
      const cause = new Error('The bytes of an unfinished part have been replaced meanwhile')
      throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
    }
    return found.bytes.subarray(0, tail.size)
  }

  /**
   * Replaces the tail, or creates it if there was none. Rejects with `ERR_LOCK_LOST` if another
   * process has changed it, as far as the service has conditional writes.
   */
  async write(
    before: Tail | undefined,
    { start, bytes }: { readonly start: number; readonly bytes: Buffer },
    signal: AbortSignal,
  ): Promise<Tail> {
    const condition = before === undefined ? { absent: true as const } : { etag: before.etag }
    const tail = await this.#put(start, bytes, condition, signal)
    if (tail === undefined) throw new TusError('ERR_LOCK_LOST')
    return tail
  }

  /** Creates an empty tail. Returns `undefined` if there is one. */
  create(signal: AbortSignal): Promise<Tail | undefined> {
    return this.#put(0, Buffer.alloc(0), { absent: true }, signal)
  }

  async delete(signal: AbortSignal): Promise<void> {
    await this.#bucket.delete(this.#key, signal)
  }

  async #put(
    start: number,
    bytes: Buffer,
    condition: Condition,
    signal: AbortSignal,
  ): Promise<Tail | undefined> {
    const mark = randomBytes(markSize)
    const Metadata = {
      'tuskit-id': this.#id,
      'tuskit-start': String(start),
      'tuskit-mark': mark.toString('hex'),
    }
    const content = Buffer.concat([bytes, mark])
    const parameters = { ...this.#parameters, Metadata }
    const etag = await this.#bucket.put(this.#key, content, signal, parameters, condition)
    if (etag !== undefined) return { start, size: bytes.length, etag }
    // The client may have sent it twice, because the first response was lost.
    const found = await this.#bucket.head(this.#key, signal)
    return found?.metadata['tuskit-mark'] === Metadata['tuskit-mark'] ? tailOf(found) : undefined
  }
}

function tailOf({ size, etag, metadata }: ObjectHead): Tail {
  return { start: Number(metadata['tuskit-start']), size: size - markSize, etag }
}
