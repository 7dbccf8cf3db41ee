/** Milliseconds after which bytes count about a third. */
const period = 5000

/**
 * Measures recent speed, with one number per upload: a count of bytes that fades. An average over
 * samples would keep the samples.
 */
export class Speed {
  #bytes = 0
  #at = performance.now()
  readonly #since = performance.now()

  /** Notes that bytes came. */
  note(bytes: number): void {
    this.#bytes = this.#faded() + bytes
    this.#at = performance.now()
  }

  /** Returns the speed in bytes per second. */
  read(): number {
    // Before the period is over, less has come together than later at the same speed.
    const age = Math.max(performance.now() - this.#since, 250)
    return (1000 * this.#faded()) / (period * (1 - Math.exp(-age / period)))
  }

  #faded(): number {
    return this.#bytes * Math.exp((this.#at - performance.now()) / period)
  }
}
