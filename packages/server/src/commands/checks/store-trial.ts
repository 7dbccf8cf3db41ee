import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Json, Lifecycle, Lock, StoreSlots, Upload, WriteOptions } from 'tuskit'
import { unlessAborted } from 'tuskit/store-kit'
import { CommandError } from '../command-error.js'
import { bodyOf, testUpload } from './test-upload.js'

/** How long a step may take, in milliseconds. */
const stepTimeout = 30_000

/** Something that could not be removed. */
interface Left {
  readonly what: string
  readonly error: unknown
}

/** A small upload that is written, read and removed to try stores. */
export class StoreTrial {
  readonly #slots: Readonly<StoreSlots>
  readonly #signal: AbortSignal
  readonly #bytes = randomBytes(65_536)
  readonly #opened: Lifecycle[] = []
  #lock: Lock | undefined
  #upload: Upload | undefined
  #hasData = false

  constructor(slots: Readonly<StoreSlots>, signal: AbortSignal) {
    this.#slots = slots
    this.#signal = signal
  }

  async open(): Promise<undefined> {
    for (const object of this.#slots.lifecycles ?? []) {
      await this.#inTime(() => object.open())
      this.#opened.push(object)
    }
  }

  async lock(): Promise<undefined> {
    const { id } = (this.#upload = this.#place())
    this.#lock = await this.#inTime((signal) =>
      this.#slots.locker!.acquire(id, { signal, requestRelease: () => true }),
    )
  }

  async record(): Promise<undefined> {
    const { infoStore } = this.#slots
    const upload = this.#upload!
    await this.#inTime((signal) => infoStore!.create(upload, { signal }))
    const found = await this.#inTime((signal) => infoStore!.get(upload.id, { signal }))
    if (found?.createdAt !== upload.createdAt) throw new Error('The record was not found again')
  }

  /** Returns why it was not tried, if it was not. */
  async store(): Promise<string | undefined> {
    const { dataStore, finisher, terminator } = this.#slots
    if (terminator === undefined) return 'was not tried, because the store removes nothing'
    await this.#write((options) => {
      this.#hasData = true
      return dataStore!.create(this.#upload!, { ...options, incoming: 'everything' })
    })
    await this.#write((options) => {
      const progress = () => {}
      const body = bodyOf(this.#bytes)
      return dataStore!.append(this.#upload!, { offset: 0 }, body, { ...options, progress })
    })
    const stat = await this.#inTime((signal) => dataStore!.stat(this.#upload!, { signal }))
    if (stat.offset !== this.#bytes.length) {
      throw new Error(`The store has ${stat.offset} of ${this.#bytes.length} bytes`)
    }
    if (finisher !== undefined) {
      await this.#write((options) => finisher.finish(this.#upload!, stat, options))
    }
    await this.#compare()
    return undefined
  }

  /** Removes everything, also after a failure. Returns what could not be removed. */
  async remove(): Promise<readonly Left[]> {
    const left: Left[] = []
    const attempt = async (what: string, removal: () => Promise<unknown>) => {
      await removal().catch((error: unknown) => left.push({ what, error }))
    }
    const { terminator, infoStore } = this.#slots
    const { id } = this.#upload ?? {}
    if (this.#hasData) {
      await attempt(`the data of ${id}`, () =>
        this.#write((options) => terminator!.terminate(this.#upload!, options)),
      )
    }
    if (this.#lock !== undefined) {
      await attempt(`the record of ${id}`, () =>
        this.#inTime((signal) => infoStore!.delete(id!, { signal }), neverStopped),
      )
      await attempt(`the lock of ${id}`, () => this.#lock!.release())
    }
    // Lockers that leave files can remove them.
    const { prune } = this.#slots.locker as { prune?(): Promise<void> }
    if (this.#lock !== undefined) await prune?.call(this.#slots.locker).catch(() => {})
    return left
  }

  async close(): Promise<void> {
    for (const object of this.#opened) await object.close().catch(() => {})
  }

  #place(): Upload {
    const unplaced = testUpload(this.#bytes.length)
    return { ...unplaced, storage: this.#slots.dataStore!.locate(unplaced) }
  }

  async #compare(): Promise<void> {
    const { contentReader } = this.#slots
    const read = (signal: AbortSignal) => contentReader!.read(this.#upload!, undefined, { signal })
    const content = contentReader && (await this.#inTime(read))
    if (!(content instanceof Readable)) return
    const found = await this.#inTime(() => buffer(content))
    if (!found.equals(this.#bytes)) throw new Error('Other bytes were read than were written')
  }

  #write<T>(work: (options: WriteOptions) => Promise<T>): Promise<T> {
    const fence = this.#lock!
    const saveSecret = (secret: Json) => this.#saveSecret(secret)
    return this.#inTime((signal) => work({ signal, fence, saveSecret }), neverStopped)
  }

  async #saveSecret(secret: Json): Promise<void> {
    const upload = this.#upload!
    const storage = { ...upload.storage, secret }
    const next = { ...upload, revision: upload.revision + 1, storage }
    await this.#slots.infoStore!.update(next, { signal: neverStopped })
    this.#upload = next
  }

  async #inTime<T>(work: (signal: AbortSignal) => Promise<T>, stopped = this.#signal): Promise<T> {
    const timedOut = AbortSignal.timeout(stepTimeout)
    const signal = AbortSignal.any([stopped, timedOut])
    try {
      return await unlessAborted(signal, work(signal))
    } catch (error) {
      if (!timedOut.aborted) throw error
      throw new CommandError(`it takes longer than ${stepTimeout / 1000} s`, { cause: error })
    }
  }
}

/** Of changes: one that is stopped halfway would leave something behind. */
const neverStopped = new AbortController().signal
