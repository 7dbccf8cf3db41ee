import type { Lifecycle } from '../../capabilities/lifecycle.js'
import type { Logger } from '../../logger.js'
import { SharedLifecycle } from '../../shared-lifecycle.js'
import { withTimeout } from '../../with-timeout.js'

/** The objects of one handler that open before its first call of a store, and close after it. */
export class Lifecycles {
  readonly #objects: readonly SharedLifecycle[]
  readonly #late: readonly SharedLifecycle[]
  #areOpen: boolean
  #isReleased = false

  /** @param late - Those that their users open, and that no upload has to wait for. */
  constructor(objects: readonly Lifecycle[], late: readonly Lifecycle[] = []) {
    this.#objects = objects.map((object) => SharedLifecycle.of(object))
    this.#late = late.map((object) => SharedLifecycle.of(object))
    this.#areOpen = objects.length === 0
  }

  /** Whether calls need not wait for {@link Lifecycles.open}. */
  get areOpen(): boolean {
    return this.#areOpen
  }

  /** Whether there are none. */
  get areNone(): boolean {
    return this.#all.length === 0
  }

  /** Keeps the objects from being closed until {@link Lifecycles.release} is called. */
  use(): void {
    for (const object of this.#all) object.use()
  }

  /** Opens those that are not open. Rejects with the first error. */
  async open(): Promise<void> {
    await Promise.all(this.#objects.map((object) => object.open()))
    // Another handler may close the objects of one that has released them.
    this.#areOpen = !this.#isReleased
  }

  /**
   * Releases the objects, and closes those that no other handler uses. Logs what fails or takes
   * longer than `milliseconds`. Never rejects.
   */
  async release(milliseconds: number, log: Logger): Promise<void> {
    if (this.areNone || this.#isReleased) return
    this.#isReleased = true
    this.#areOpen = false
    const timeoutError = () => new Error(`A close has not settled within ${milliseconds} ms`)
    const release = async (object: SharedLifecycle) => {
      try {
        await withTimeout(milliseconds, object.release(), timeoutError)
      } catch (error) {
        log.error('A store or a backend of hooks could not be closed', { error })
      }
    }
    await Promise.all(this.#all.map(release))
  }

  get #all(): readonly SharedLifecycle[] {
    return [...this.#objects, ...this.#late]
  }
}
