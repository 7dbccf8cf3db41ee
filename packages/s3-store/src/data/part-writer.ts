import { TusError, type AppendOptions, type UploadBody } from 'tuskit'
import { assertMayChange, eachBatch } from 'tuskit/store-kit'
import type { Part } from '../bucket/multipart-uploads.js'
import type { Settings } from '../settings.js'
import { PartBuffer } from './part-buffer.js'
import { bytesOf, storedIn, type S3Stat } from './stored.js'
import type { Tail } from './tail.js'
import type { UploadData } from './upload-data.js'

/** A part that is being stored, or has been. */
interface Sending {
  readonly end: number
  readonly sent: Promise<Part>
  part?: Part
}

/**
 * Writes the bytes of one body: full parts while they come, some at the same time, and at the end
 * the rest, either as the last part or as the tail.
 */
export class PartWriter {
  readonly #data: UploadData
  readonly #options: AppendOptions
  readonly #settings: Settings
  readonly #parts: Part[]
  readonly #sending: Sending[] = []
  #tail: Tail | undefined
  /** The part whose bytes are being collected, counted from 0. */
  #current: number
  #buffer: PartBuffer
  #failure: { readonly error: unknown } | undefined

  private constructor(
    data: UploadData,
    from: S3Stat,
    buffer: PartBuffer,
    options: AppendOptions,
    settings: Settings,
  ) {
    this.#data = data
    this.#options = options
    this.#settings = settings
    this.#parts = [...from.parts]
    this.#tail = from.tail
    this.#current = from.parts.length
    this.#buffer = buffer
  }

  /** Stores a body after what is stored. Returns what is stored then. */
  static async write(
    data: UploadData,
    from: S3Stat,
    body: UploadBody,
    options: AppendOptions,
    settings: Settings,
  ): Promise<S3Stat> {
    const { length } = from.parts
    // The last part is shorter, so nothing follows it.
    if (bytesOf(from.parts) < data.plan.startOf(length)) return from
    const buffer = new PartBuffer(data.plan.sizeOf(length), body.size)
    buffer.take(await data.restOf(from, options.signal))
    const writer = new PartWriter(data, from, buffer, options, settings)
    return writer.#write(body)
  }

  async #write(body: UploadBody): Promise<S3Stat> {
    try {
      await eachBatch(body, this.#options, (batch) => this.#take(batch))
    } catch (error) {
      this.#failure ??= { error }
    }
    await Promise.allSettled(this.#sending.map(({ sent }) => sent))
    this.#advance()
    this.#options.signal.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure.error
    return this.#storeRest()
  }

  async #take(batch: readonly Buffer[]): Promise<void> {
    for (const bytes of batch) {
      for (let taken = 0; taken < bytes.length;) {
        if (this.#failure !== undefined) throw this.#failure.error
        taken += this.#buffer.take(bytes.subarray(taken))
        if (this.#buffer.isFull && this.#data.multipart !== undefined) await this.#sendPart()
        else if (taken < bytes.length) throw new RangeError('There are more bytes than announced')
      }
    }
  }

  /** Starts to store the part that is collected, and waits while too many are on their way. */
  async #sendPart(): Promise<void> {
    const { parallel } = this.#settings
    this.#send(this.#buffer.bytes)
    this.#current++
    this.#buffer = new PartBuffer(this.#data.plan.sizeOf(this.#current), Infinity)
    while (this.#sending.length >= parallel) {
      await this.#sending[0]!.sent
      this.#advance()
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #send(bytes: Buffer): void {
    const { plan } = this.#data
    const part = this.#current
    const sent = this.#settings.slots.use(() => this.#putPart(part + 1, bytes))
    const sending: Sending = { end: plan.startOf(part) + bytes.length, sent }
    this.#sending.push(sending)
    sent.then(
      (stored) => {
        sending.part = stored
        this.#advance()
      },
      (error: unknown) => (this.#failure ??= { error }),
    )
  }

  async #putPart(number: number, bytes: Buffer): Promise<Part> {
    // Another part has failed: what comes after it would not count.
    if (this.#failure !== undefined) throw this.#failure.error
    assertMayChange(this.#options)
    const { bucket, key, multipart } = this.#data
    const etag = await bucket.multipart.putPart(
      key,
      multipart!,
      number,
      bytes,
      this.#options.signal,
    )
    if (etag === undefined) {
      const cause = new Error('The multipart upload was completed or aborted meanwhile')
      throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
    }
    return { number, size: bytes.length, etag }
  }

  /** Counts the parts that are stored without a gap. */
  #advance(): void {
    while (this.#sending[0]?.part !== undefined) {
      const { part, end } = this.#sending.shift()!
      this.#parts.push(part!)
      this.#options.progress(end)
    }
  }

  /** Whether nothing shows yet that the upload exists. */
  get #isNothing(): boolean {
    return this.#tail === undefined && this.#data.multipart === undefined
  }

  /** Stores the bytes that do not fill a part: the last ones of the upload, or the tail. */
  async #storeRest(): Promise<S3Stat> {
    const { upload, plan, tail, multipart } = this.#data
    const { bytes } = this.#buffer
    const { signal } = this.#options
    const start = plan.startOf(this.#current)
    const end = start + bytes.length
    if (bytes.length > 0 && end === upload.length) {
      if (multipart === undefined) {
        assertMayChange(this.#options)
        await this.#data.putWhole(bytes, signal)
        this.#options.progress(end)
        return { offset: end, whole: true, parts: [], tail: this.#tail }
      }
      this.#send(bytes)
      await Promise.allSettled(this.#sending.map(({ sent }) => sent))
      this.#advance()
      signal.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure.error
    } else if (end > storedIn(this.#parts, this.#tail).offset || this.#isNothing) {
      assertMayChange(this.#options)
      this.#tail = await tail.write(this.#tail, { start, bytes }, signal)
      this.#options.progress(end)
    }
    return storedIn(this.#parts, this.#tail)
  }
}
