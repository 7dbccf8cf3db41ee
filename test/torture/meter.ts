/**
 * The events to count: all of them, or pieces of chunks that contradict their checksum, by server.
 */
export type Countable = 'anything' | `wrong bytes to ${number}`

/** Counts events, so that faults come after a number of events and not after a time. */
export class Meter {
  readonly #counts = new Map<Countable, number>()
  readonly #waiting = new Set<() => void>()

  /** Counts a request that begins, or a piece of a body that is sent. */
  tick(what: Countable = 'anything'): void {
    this.#counts.set(what, this.#count(what) + 1)
    for (const look of this.#waiting) look()
  }

  /**
   * Resolves after that many events. Without events it resolves after `patience` milliseconds, so
   * that the run continues.
   */
  async pass(
    events: number,
    atMost: number,
    signal: AbortSignal,
    what: Countable = 'anything',
  ): Promise<void> {
    const goal = this.#count(what) + events
    let timer: NodeJS.Timeout | undefined
    let look!: () => void
    await new Promise<void>((resolve) => {
      look = () => {
        if (this.#count(what) >= goal || signal.aborted) resolve()
      }
      this.#waiting.add(look)
      signal.addEventListener('abort', look, { once: true })
      timer = setTimeout(resolve, atMost)
      look()
    })
    clearTimeout(timer)
    signal.removeEventListener('abort', look)
    this.#waiting.delete(look)
  }

  #count(what: Countable): number {
    return this.#counts.get(what) ?? 0
  }
}
