import type { ReadOptions } from '../../capabilities/call-options.js'
import { isTusError, TusError } from '../../errors.js'
import type { Logger } from '../../logger.js'
import { unlessAborted } from '../../unless-aborted.js'
import { boundedScan } from './bounded-scan.js'
import type { Lifecycles } from './lifecycles.js'
import { TimeLimit } from './time-limit.js'

/** The time limit of the calls, and the callback for calls that exceed it. */
export interface Bounds {
  /** How long a call may take, in milliseconds. */
  readonly storeTimeout: number
  readonly log: Logger
  /** The objects that are opened before the first call. */
  readonly lifecycles: Lifecycles
  /** Called when a change of an upload exceeds the limit, with the call that may still settle. */
  readonly onHang: (id: string, work: Promise<unknown>) => void
}

/**
 * A scan's next id may take this many times as long as other calls, because the store may have to
 * read all records before the scan ends.
 */
const scanPatience = 240

type Start<T> = (options: ReadOptions) => Promise<T>

/**
 * Runs the calls of stores, named for the log. The first ones wait until the objects of the handler
 * are open.
 */
export class StoreCalls {
  readonly #bounds: Bounds
  readonly #limit: TimeLimit
  readonly #scanLimit: TimeLimit

  constructor(bounds: Bounds) {
    this.#bounds = bounds
    this.#limit = new TimeLimit(bounds.storeTimeout)
    this.#scanLimit = new TimeLimit(bounds.storeTimeout * scanPatience)
  }

  /** Runs a call that changes nothing. `undo` gets a late result. */
  read<T>(
    name: string,
    id: string,
    start: Start<T>,
    source?: ReadOptions,
    undo?: (late: T) => unknown,
  ): Promise<T> {
    const timeoutError = (work: Promise<T>) => {
      if (undo !== undefined) void work.then(undo).catch(() => {})
      return this.#unavailable(name, id)
    }
    return this.whenOpen(() => this.#limit.run({ start, timeoutError, source }))
  }

  /** Runs a call that changes something. */
  change(name: string, id: string, start: Start<void>, source?: ReadOptions): Promise<void> {
    const timeoutError = (work: Promise<void>) => {
      this.#bounds.onHang(id, work)
      return this.#unavailable(name, id)
    }
    return this.whenOpen(() => this.#limit.run({ start, timeoutError, source }))
  }

  /** Yields the ids that a store finds. */
  scan(
    name: string,
    start: (options: ReadOptions) => AsyncIterable<string>,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const timeoutError = () => this.#unavailable(name, undefined, this.#scanLimit)
    const items = () => boundedScan(this.#scanLimit, start, timeoutError, signal)
    return this.#bounds.lifecycles.areOpen ? items() : this.#scanOpened(items, signal)
  }

  async *#scanOpened(
    items: () => AsyncGenerator<string>,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    await unlessAborted(signal, this.#opened())
    yield* items()
  }

  /** Runs a call that has its own limit or none. */
  whenOpen<T>(start: () => Promise<T>): Promise<T> {
    return this.#bounds.lifecycles.areOpen ? start() : this.#opened().then(start)
  }

  /** Opens the objects of the handler. Rejects with their error. */
  open(): Promise<void> {
    const start = () => this.#bounds.lifecycles.open()
    const timeoutError = () => this.#unavailable('lifecycle.open', undefined)
    return this.#limit.run({ start, timeoutError })
  }

  /** Rejects only with errors that say nothing about the upload of a call. */
  async #opened(): Promise<void> {
    try {
      await this.open()
    } catch (cause) {
      // The codes with 500 are for single uploads, such as `ERR_DATA_MISSING`.
      if (isTusError(cause) && cause.status > 500) throw cause
      throw new TusError('ERR_INTERNAL', { cause })
    }
  }

  #unavailable(call: string, uploadId: string | undefined, limit = this.#limit): TusError {
    const { log, storeTimeout } = this.#bounds
    log.error('A store does not respond', { call, ...(uploadId && { uploadId }), storeTimeout })
    return new TusError('ERR_STORAGE_UNAVAILABLE', { cause: limit.exceeded(call) })
  }
}
