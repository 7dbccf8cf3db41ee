import { TusError, type AppendOptions, type UploadBody } from 'tuskit'
import { assertMayChange, eachBatch } from 'tuskit/store-kit'
import type { Part } from '../bucket/multipart-uploads.js'
import type { Settings } from '../settings.js'
import type { MemoryShare } from './memory.js'
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

/** Bytes that were gathered, and how to free their memory. */
interface Gathered {
  readonly bytes: Buffer
  /** How many bytes of the same part are before them, in the tail. */
  readonly before: number
  readonly free: () => void
}

/**
 * Writes the bytes of one body: full parts while they come, some at the same time, and at the end
 * the rest, either as the last part or as the tail. When memory is scarce, the bytes of a part that
 * is not full go to the tail earlier, and are read back when the part is sent.
 */
export class PartWriter {
  readonly #data: UploadData
  readonly #options: AppendOptions
  readonly #settings: Settings
  readonly #share: MemoryShare
  readonly #parts: Part[]
  readonly #sending: Sending[] = []
  #tail: Tail | undefined
  /** The part whose bytes are being gathered, counted from 0. */
  #current: number
  /** How many bytes of that part are in the tail. */
  #before: number
  #buffer: PartBuffer
  /** Aborts when a part could not be stored, or the operation ends. */
  readonly #end = new AbortController()
  #failure: { readonly error: unknown } | undefined

  private constructor(
    data: UploadData,
    from: S3Stat,
    body: UploadBody,
    options: AppendOptions,
    settings: Settings,
  ) {
    this.#data = data
    this.#options = options
    this.#settings = settings
    this.#share = settings.memory.open(() => this.#spill())
    this.#parts = [...from.parts]
    this.#tail = from.tail
    this.#current = from.parts.length
    this.#before = from.offset - bytesOf(from.parts)
    this.#buffer = this.#newBuffer(body.size)
  }

  /** For the bytes that the current part still needs, or as many of them as fit in the memory. */
  #newBuffer(expected?: number): PartBuffer {
    const { memory, spare } = this.#settings
    const missing = this.#data.plan.sizeOf(this.#current) - this.#before
    return new PartBuffer(memory.allot(this.#share, missing), spare, expected)
  }

  /** Stores a body after what is stored. Returns what is stored then. */
  static async write(
    data: UploadData,
    from: S3Stat,
    body: UploadBody,
    options: AppendOptions,
    settings: Settings,
  ): Promise<S3Stat> {
    // The last part is shorter, so nothing follows it.
    if (bytesOf(from.parts) < data.plan.startOf(from.parts.length)) return from
    const writer = new PartWriter(data, from, body, options, settings)
    try {
      return await writer.#write(body)
    } finally {
      settings.memory.close(writer.#share)
    }
  }

  async #write(body: UploadBody): Promise<S3Stat> {
    const { signal } = this.#options
    const onAbort = () => this.#end.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      await eachBatch(body, this.#end, (batch) => this.#take(batch))
    } catch (error) {
      this.#fail(error)
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    // From here on, nobody else may make it spill.
    await this.#settings.memory.use(this.#share)
    await this.#allSent()
    return this.#storeRest()
  }

  async #take(batch: readonly Buffer[]): Promise<void> {
    const { memory } = this.#settings
    for (const bytes of batch) {
      for (let taken = 0; taken < bytes.length;) {
        await memory.use(this.#share)
        if (this.#buffer.isFull) await this.#makeSpace()
        if (this.#buffer.room === 0) await this.#grow()
        const length = Math.min(bytes.length - taken, this.#buffer.room)
        this.#buffer.add(bytes.subarray(taken, taken + length))
        taken += length
        if (this.#isPartFull && this.#data.multipart !== undefined) await this.#sendPart()
      }
    }
    memory.rest(this.#share)
  }

  get #isPartFull(): boolean {
    return this.#before + this.#buffer.size === this.#data.plan.sizeOf(this.#current)
  }

  async #grow(): Promise<void> {
    const { step, isLastStep } = this.#buffer
    await this.#settings.memory.take(this.#share, step, !isLastStep, this.#end.signal)
    this.#buffer.grow(step)
  }

  /** Continues after a part that the tail filled already, or one that is larger than the memory. */
  async #makeSpace(): Promise<void> {
    const isOver = this.#isPartFull && this.#data.multipart === undefined
    if (isOver) throw new RangeError('There are more bytes than announced')
    if (this.#isPartFull) return this.#sendPart()
    await this.#spill()
    this.#end.signal.throwIfAborted()
  }

  /** Waits while too many parts are on their way, and starts to store the one that is gathered. */
  async #sendPart(): Promise<void> {
    const { parallel } = this.#settings
    while (this.#sending.length >= parallel) {
      await this.#sending[0]!.sent
      this.#advance()
    }
    this.#end.signal.throwIfAborted()
    this.#send(this.#gathered())
    this.#current++
    this.#before = 0
    this.#buffer = this.#newBuffer()
  }

  /** Takes the bytes that were gathered. */
  #gathered(): Gathered {
    const free = this.#settings.memory.send(this.#share)
    return { bytes: this.#buffer.bytes, before: this.#before, free }
  }

  #send(gathered: Gathered): void {
    const { plan } = this.#data
    const part = this.#current
    const end = plan.startOf(part) + gathered.before + gathered.bytes.length
    const sent = this.#store(gathered, (bytes) => this.#putPart(part + 1, bytes))
    const sending: Sending = { end, sent }
    this.#sending.push(sending)
    sent.then(
      (stored) => {
        sending.part = stored
        this.#advance()
      },
      (error: unknown) => this.#fail(error),
    )
  }

  /** Stores bytes together with those before them, and frees their memory. */
  async #store<T>(
    { bytes, before, free }: Gathered,
    put: (bytes: Buffer) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.#options
    const tail = this.#tail
    try {
      return await this.#settings.slots.use(signal, async () => {
        // Another part has failed: what comes after it would not count.
        if (this.#failure !== undefined) throw this.#failure.error
        const whole = before === 0 ? bytes : await this.#join(tail!, before, bytes)
        assertMayChange(this.#options)
        return put(whole)
      })
    } finally {
      free()
    }
  }

  /** Returns the last bytes of the tail, followed by others. */
  async #join(tail: Tail, before: number, bytes: Buffer): Promise<Buffer> {
    const stored = await this.#data.tail.read(tail, this.#options.signal)
    return Buffer.concat([stored.subarray(tail.size - before), bytes])
  }

  async #putPart(number: number, bytes: Buffer): Promise<Part> {
    const { bucket, key, multipart } = this.#data
    const { signal } = this.#options
    const sent = await bucket.multipart.putPart(key, multipart!, number, bytes, signal)
    if (sent !== undefined) {
      const { attempts, ...part } = sent
      // An earlier attempt may still read the bytes.
      if (attempts === 1) this.#settings.spare.give(bytes)
      return part
    }
    const cause = new Error('The multipart upload was completed or aborted meanwhile')
    throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#end.abort(this.#failure.error)
  }

  /** Counts the parts that are stored without a gap. */
  #advance(): void {
    while (this.#sending[0]?.part !== undefined) {
      const { part, end } = this.#sending.shift()!
      this.#parts.push(part!)
      this.#options.progress(end)
    }
  }

  /** Waits for the parts that are on their way. Rejects if one of them could not be stored. */
  async #allSent(): Promise<void> {
    await Promise.allSettled(this.#sending.map(({ sent }) => sent))
    this.#advance()
    this.#options.signal.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Stores the gathered bytes in the tail, so that others can use the memory. */
  async #spill(): Promise<void> {
    const gathered = this.#gathered()
    try {
      await this.#allSent()
      await this.#writeTail(gathered)
      this.#buffer = this.#newBuffer()
    } catch (error) {
      gathered.free()
      this.#fail(error)
    }
  }

  async #writeTail(gathered: Gathered): Promise<void> {
    const start = this.#data.plan.startOf(this.#current)
    const { signal, progress } = this.#options
    const { tail } = this.#data
    const put = (bytes: Buffer) => tail.write(this.#tail, { start, bytes }, signal)
    this.#tail = await this.#store(gathered, put)
    this.#before = this.#tail.size
    progress(start + this.#tail.size)
  }

  /** Stores the bytes that do not fill a part: the last ones of the upload, or the tail. */
  async #storeRest(): Promise<S3Stat> {
    const { upload, plan, multipart } = this.#data
    const gathered = this.#gathered()
    const size = gathered.before + gathered.bytes.length
    const end = plan.startOf(this.#current) + size
    // Nothing shows yet that the upload exists.
    const isNothing = this.#tail === undefined && multipart === undefined
    if (size > 0 && end === upload.length) {
      if (multipart === undefined) {
        await this.#store(gathered, (bytes) => this.#data.putWhole(bytes, this.#options.signal))
        this.#options.progress(end)
        return { offset: end, whole: true, parts: [], tail: this.#tail }
      }
      this.#send(gathered)
      await this.#allSent()
    } else if (gathered.bytes.length > 0 || isNothing) await this.#writeTail(gathered)
    else gathered.free()
    return storedIn(this.#parts, this.#tail)
  }
}
