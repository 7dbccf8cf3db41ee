import { AsyncLocalStorage } from 'node:async_hooks'
import type { Stat } from '../capabilities/data-store.js'
import type { WriteOptions } from '../capabilities/call-options.js'
import { isTusError, TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { SpaceCounter } from './space-counter.js'
import { withTimeout } from '../with-timeout.js'

/** Space that an upload needs and does not get. */
export interface Shortage {
  /** The upload that needs it. A request works on it, so it cannot be terminated now. */
  readonly id: string
  /** Bytes that are missing. */
  readonly missing: number
}

/** The parts of a {@link Space}. */
export interface SpaceOptions {
  readonly limit: number
  /** Whether a declared length is reserved at once. */
  readonly reserve: boolean
  readonly counter: SpaceCounter
  /** Counts the existing uploads. */
  readonly count: () => Promise<void>
  readonly evict: ((shortage: Shortage) => unknown) | undefined
  readonly spaceTimeout: number
}

/**
 * Set while `evict` runs: its own work must not wait for another `evict`, which would wait for this
 * one.
 */
const evicting = new AsyncLocalStorage<true>()

/** The space that uploads share. */
export class Space {
  readonly #options: SpaceOptions
  #counting: Promise<void> | undefined
  #isCounted = false
  #lastTurn: Promise<void> = Promise.resolve()

  constructor(options: SpaceOptions) {
    this.#options = options
  }

  /** Counts once, and again after a failure. */
  counted(): Promise<void> {
    const count = async () => {
      try {
        await this.#options.count()
        this.#isCounted = true
      } finally {
        this.#counting = undefined
      }
    }
    return this.#isCounted ? Promise.resolve() : (this.#counting ??= count())
  }

  /**
   * Reserves the declared length of an upload, and returns whether it did. An upload that can never
   * fit is always refused. Throws like {@link Space.take}.
   */
  async reserve(upload: Upload, options: WriteOptions): Promise<boolean> {
    const { length } = upload
    if (length === undefined) return false
    if (this.#options.reserve) await this.take(upload, length, options)
    else if (length > this.#options.limit) throw noSpace()
    return this.#options.reserve
  }

  /**
   * Sets the space of an upload to `bytes`. Throws `ERR_STORAGE_FULL` if eviction frees too little.
   */
  async take({ id }: Upload, bytes: number, { signal, fence }: WriteOptions): Promise<void> {
    const { counter, limit, evict, spaceTimeout } = this.#options
    const reserve = () => {
      signal.throwIfAborted()
      if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
      return counter.reserve(id, bytes, limit)
    }
    if (!this.#isCounted) await withTimeout(spaceTimeout, this.counted(), stillCounting, signal)
    if ((await reserve()) === 0) return
    const possible = evict !== undefined && bytes <= limit && !evicting.getStore()
    if (!possible || (await this.#makeSpace(id, reserve, signal, evict)) > 0) throw noSpace()
  }

  /**
   * Evicts, one call at a time. After the wait, checks for space first. Returns the missing bytes.
   */
  async #makeSpace(
    id: string,
    reserve: () => Promise<number>,
    signal: AbortSignal,
    evict: (shortage: Shortage) => unknown,
  ): Promise<number> {
    const end = performance.now() + this.#options.spaceTimeout
    const patiently = (work: Promise<unknown>) =>
      withTimeout(Math.max(0, end - performance.now()), work, noSpace, signal)
    const before = this.#lastTurn
    let leave!: () => void
    this.#lastTurn = new Promise((resolve) => (leave = resolve))
    try {
      await patiently(before)
      const missing = await reserve()
      if (missing === 0) return 0
      await patiently(evicting.run(true, async () => evict({ id, missing })))
      return await reserve()
    } catch (error) {
      throw signal.aborted || isTusError(error, 'ERR_LOCK_LOST') ? error : noSpace(error)
    } finally {
      leave()
    }
  }

  /** Releases unused space. If that fails, the next chunk or the end of the upload releases it. */
  async settle({ id }: Upload, stored: () => Stat | Promise<Stat>): Promise<void> {
    const { counter, limit } = this.#options
    try {
      await counter.reserve(id, (await stored()).offset, limit)
    } catch {
      // Then too much is reserved, never too little.
    }
  }

  /** Releases all space of an upload. */
  async release(id: string): Promise<void> {
    await this.#options.counter.reserve(id, 0, this.#options.limit)
  }
}

function noSpace(cause?: unknown): TusError {
  const message = 'There is not enough space for the upload'
  if (isTusError(cause, 'ERR_STORAGE_FULL')) return cause
  return new TusError('ERR_STORAGE_FULL', { message, ...(cause !== undefined && { cause }) })
}

function stillCounting(): TusError {
  return new TusError('ERR_UPLOAD_BUSY', { message: 'The used space is being counted; try again' })
}
