import { AsyncLocalStorage } from 'node:async_hooks'
import type { Stat } from '../capabilities/data-store.js'
import type { WriteOptions } from '../capabilities/call-options.js'
import { isTusError, TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { SpaceCounter } from './space-counter.js'
import { withTimeout } from './with-timeout.js'

/** Room that an upload needs and does not get. */
export interface Shortage {
  /** The upload that needs it. A request works on it, so it cannot be terminated now. */
  readonly id: string
  /** Bytes that are missing. */
  readonly missing: number
}

/** What a {@link Space} is made of. */
export interface SpaceOptions {
  readonly limit: number
  /** Whether a declared length is taken at once. */
  readonly reserve: boolean
  readonly counter: SpaceCounter
  /** Counts what is there already. */
  readonly count: () => Promise<void>
  readonly evict: ((shortage: Shortage) => unknown) | undefined
  readonly roomTimeout: number
}

/** Set while `evict` runs: what it does must not wait for another `evict`, which would wait for this one. */
const evicting = new AsyncLocalStorage<true>()

/** The space that uploads share: who wants more of it asks here. */
export class Space {
  readonly #options: SpaceOptions
  #counting: Promise<void> | undefined
  #isCounted = false
  #lastTurn: Promise<void> = Promise.resolve()

  constructor(options: SpaceOptions) {
    this.#options = options
  }

  /** Counts once; after a failure again. */
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
   * Takes the declared length of an upload, and returns whether it had to. What could never fit is refused in any case.
   * Throws as {@link Space.take} does.
   */
  async reserve(upload: Upload, options: WriteOptions): Promise<boolean> {
    const { length } = upload
    if (length === undefined) return false
    if (this.#options.reserve) await this.take(upload, length, options)
    else if (length > this.#options.limit) throw noRoom()
    return this.#options.reserve
  }

  /** Makes `bytes` what the upload takes. Throws `ERR_STORAGE_FULL` when there is no room, nor any to be made. */
  async take({ id }: Upload, bytes: number, { signal, fence }: WriteOptions): Promise<void> {
    const { counter, limit, evict, roomTimeout } = this.#options
    const reserve = () => {
      signal.throwIfAborted()
      if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
      return counter.reserve(id, bytes, limit)
    }
    if (!this.#isCounted) await withTimeout(roomTimeout, signal, this.counted(), stillCounting)
    if ((await reserve()) === 0) return
    const possible = evict !== undefined && bytes <= limit && !evicting.getStore()
    if (!possible || (await this.#makeRoom(id, reserve, signal, evict)) > 0) throw noRoom()
  }

  /** One after the other: whoever waited looks first whether there is room by now. Returns what is still missing. */
  async #makeRoom(
    id: string,
    reserve: () => Promise<number>,
    signal: AbortSignal,
    evict: (shortage: Shortage) => unknown,
  ): Promise<number> {
    const end = performance.now() + this.#options.roomTimeout
    const patiently = (work: Promise<unknown>) =>
      withTimeout(Math.max(0, end - performance.now()), signal, work, noRoom)
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
      throw signal.aborted || isTusError(error, 'ERR_LOCK_LOST') ? error : noRoom(error)
    } finally {
      leave()
    }
  }

  /** Gives back what the upload does not need. If that fails it is given back later, with the next chunk or its end. */
  async settle({ id }: Upload, stored: () => Stat | Promise<Stat>): Promise<void> {
    const { counter, limit } = this.#options
    try {
      await counter.reserve(id, (await stored()).offset, limit)
    } catch {
      // Too much is taken then, never too little.
    }
  }

  /** Gives back everything. */
  async release(id: string): Promise<void> {
    await this.#options.counter.reserve(id, 0, this.#options.limit)
  }
}

function noRoom(cause?: unknown): TusError {
  const message = 'There is no room for the upload'
  if (isTusError(cause, 'ERR_STORAGE_FULL')) return cause
  return new TusError('ERR_STORAGE_FULL', { message, ...(cause !== undefined && { cause }) })
}

function stillCounting(): TusError {
  return new TusError('ERR_UPLOAD_BUSY', { message: 'The used space is being counted; try again' })
}
