/** The first memory for a client that has not shown yet how fast it sends. */
export const firstMemory = 262_144

/** Collects the bytes of one part. The memory grows as bytes come. */
export class PartBuffer {
  readonly #capacity: number
  readonly #expected: number
  #memory: Buffer
  #filled = 0

  /**
   * @param capacity - The size of the part.
   * @param expected - How many bytes will soon be there.
   */
  constructor(capacity: number, expected = firstMemory) {
    this.#capacity = capacity
    this.#expected = expected
    this.#memory = Buffer.alloc(0)
  }

  get isFull(): boolean {
    return this.free === 0
  }

  /** How many bytes fit in. */
  get free(): number {
    return this.#capacity - this.#filled
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#filled)
  }

  /** Copies bytes, which must fit in. */
  add(bytes: Buffer): void {
    const needed = this.#filled + bytes.length
    if (needed > this.#memory.length) this.#enlarge(needed)
    bytes.copy(this.#memory, this.#filled)
    this.#filled = needed
  }

  #enlarge(needed: number): void {
    const first = this.#memory.length === 0 ? this.#expected : this.#memory.length * 4
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(first, needed), this.#capacity))
    this.#memory.copy(larger, 0, 0, this.#filled)
    this.#memory = larger
  }
}
