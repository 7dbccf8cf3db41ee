import type { ReadOptions } from '../../capabilities/call-options.js'

/** The longest delay of Node's timers, in milliseconds. A longer one would count as none. */
const longestDelay = 2_147_483_647

/** A pending call. Its signal is created on first access: most calls settle without one. */
class Call {
  readonly source: ReadOptions | undefined
  readonly expiresAt: number
  readonly expire: () => void
  #controller: AbortController | undefined
  #reason: Error | undefined
  #forget: (() => void) | undefined

  constructor(source: ReadOptions | undefined, expiresAt: number, expire: () => void) {
    this.source = source
    this.expiresAt = expiresAt
    this.expire = expire
  }

  /** Aborts when the limit is reached, and when the signal of the source aborts. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController()
      this.#controller = controller
      if (this.#reason !== undefined) controller.abort(this.#reason)
      else if (this.source !== undefined) this.#follow(this.source.signal, controller)
    }
    return this.#controller.signal
  }

  #follow(signal: AbortSignal, controller: AbortController): void {
    const onAbort = () => controller.abort(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#forget = () => signal.removeEventListener('abort', onAbort)
  }

  abort(reason: Error): void {
    this.#reason = reason
    this.#controller?.abort(reason)
    // It may never settle, and its source may live on.
    this.settle()
  }

  settle(): void {
    this.#forget?.()
  }
}

/** A call that runs under a {@link TimeLimit}. */
export interface LimitedCall<T> {
  /**
   * Starts the work. Its signal aborts when the limit is reached, or the one of `source` aborts.
   */
  start(options: ReadOptions): T | Promise<T>
  /** Creates the error for the caller when the limit is reached. `work` may settle later. */
  timeoutError(work: Promise<T>): Error
  readonly source?: ReadOptions | undefined
}

/**
 * Limits how long calls of one kind are awaited. They share one limit, so they expire in the order
 * in which they began: a set in that order and one timer, for its first call, serve all of them. A
 * timer and an `AbortController` per call would cost more than many of the calls.
 */
export class TimeLimit {
  readonly milliseconds: number
  readonly #calls = new Set<Call>()
  #timer: NodeJS.Timeout | undefined

  /** `Infinity` means no limit. */
  constructor(milliseconds: number) {
    this.milliseconds = milliseconds
  }

  /** Creates an error that says what took longer. */
  exceeded(what: string): Error {
    return new Error(`${what} has not settled within ${this.milliseconds} ms`)
  }

  /**
   * Returns the result of a call. When it takes longer, throws its `timeoutError`, and the call
   * itself continues.
   */
  run<T>({ start, timeoutError, source }: LimitedCall<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const expire = () => {
        const error = timeoutError(work)
        call.abort(error)
        reject(error)
      }
      const call = new Call(source, performance.now() + this.milliseconds, expire)
      const work = begin(start, optionsOf(call))
      this.#calls.add(call)
      if (this.milliseconds !== Infinity) this.#timer ??= this.#lookIn(this.milliseconds)
      const end = () => {
        this.#calls.delete(call)
        call.settle()
      }
      work.then(
        (value) => {
          end()
          resolve(value)
        },
        (error: unknown) => {
          end()
          reject(error)
        },
      )
    })
  }

  /**
   * Checks one turn after the delay. After the process was suspended, the results of calls that
   * seem late may have arrived without having been read.
   */
  #lookIn(milliseconds: number): NodeJS.Timeout {
    const delay = Math.min(milliseconds, longestDelay)
    return setTimeout(() => setImmediate(() => this.#look()), delay).unref()
  }

  #look(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const call of this.#calls) {
      if (call.expiresAt > now) {
        this.#timer = this.#lookIn(call.expiresAt - now)
        return
      }
      this.#calls.delete(call)
      call.expire()
    }
  }
}

/** Creates an object that a store may copy and extend. */
function optionsOf(call: Call): ReadOptions {
  return {
    get signal() {
      return call.signal
    },
  }
}

async function begin<T>(
  start: (options: ReadOptions) => T | Promise<T>,
  options: ReadOptions,
): Promise<T> {
  return start(options)
}
