/** Bytes for which the memory of a whole part would be too much. */
const small = 262_144

/** Collects the bytes of one part. The memory grows as bytes come. */
export class PartBuffer {
  readonly #capacity: number
  readonly #expected: number
  #memory: Buffer
  #filled = 0

  /**
   * @param capacity - The size of the part.
   * @param expected - How many bytes probably come.
   */
  constructor(capacity: number, expected = small) {
    this.#capacity = capacity
    this.#expected = expected
    this.#memory = Buffer.alloc(0)
  }

  get isFull(): boolean {
    return this.#filled === this.#capacity
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#filled)
  }

  /** Copies as many bytes as fit, and returns how many. */
  take(bytes: Buffer): number {
    const length = Math.min(this.#capacity - this.#filled, bytes.length)
    if (this.#filled + length > this.#memory.length) this.#enlarge(length)
    bytes.copy(this.#memory, this.#filled, 0, length)
    this.#filled += length
    return length
  }

  /**
   * The first memory is small or has the expected size, and the next one holds the whole part, so
   * bytes are copied at most once more. The system provides the memory only as it is filled.
   */
  #enlarge(length: number): void {
    const needed = this.#filled + length
    const first = this.#memory.length === 0 ? Math.max(this.#expected, needed) : this.#capacity
    const larger = Buffer.allocUnsafeSlow(Math.min(first, this.#capacity))
    this.#memory.copy(larger, 0, 0, this.#filled)
    this.#memory = larger
  }
}
