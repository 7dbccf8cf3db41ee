import type { Lifecycle } from './capabilities/lifecycle.js'
import { TusError } from './errors.js'

const known = new WeakMap<Lifecycle, SharedLifecycle>()

/** The state of an object that opens and closes, shared by all handlers that use it. */
export class SharedLifecycle {
  /** Returns the state of an object. It is the same one for the same object. */
  static of(object: Lifecycle): SharedLifecycle {
    const found = known.get(object) ?? new SharedLifecycle(object)
    known.set(object, found)
    return found
  }

  readonly #object: Lifecycle
  #users = 0
  #isOpen = false
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  private constructor(object: Lifecycle) {
    this.#object = object
  }

  /** Whether the object has been closed, or is being closed. */
  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  /** Adds a handler. Until it calls {@link SharedLifecycle.release}, the object is not closed. */
  use(): void {
    this.#users++
  }

  /**
   * Opens the object unless it is open. Concurrent callers share one call, and after a failure the
   * next one tries again. Throws `ERR_SERVER_SHUTDOWN` when the object has been closed.
   */
  async open(): Promise<void> {
    if (this.isClosed) throw new TusError('ERR_SERVER_SHUTDOWN')
    if (!this.#isOpen) await (this.#opening ??= this.#open())
  }

  async #open(): Promise<void> {
    try {
      // Later, so that even an exception comes after `#opening` is set.
      await Promise.resolve().then(() => this.#object.open())
      this.#isOpen = true
    } finally {
      this.#opening = undefined
    }
  }

  /**
   * Removes a handler. The last one closes the object if it is open, after waiting for an `open` in
   * progress. Rejects when the object cannot be closed.
   */
  async release(): Promise<void> {
    this.#users--
    if (this.#users > 0) return
    await this.#opening?.catch(() => {})
    // Meanwhile, another handler may have been created.
    if (this.#users === 0 && this.#isOpen) await (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.resolve().then(() => this.#object.close())
  }
}
