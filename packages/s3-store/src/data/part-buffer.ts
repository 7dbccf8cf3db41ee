import type { SpareMemory } from './spare-memory.js'

/** The first memory for a client that has not shown yet how fast it sends. */
const firstStep = 65_536

/** Collects the bytes of one part. Its memory grows in two steps. */
export class PartBuffer {
  readonly #capacity: number
  readonly #first: number
  readonly #spare: SpareMemory
  #memory: Buffer = Buffer.alloc(0)
  #filled = 0

  /**
   * @param capacity - The most bytes that it collects.
   * @param spare - Provides the memory.
   * @param expected - How many bytes will probably come.
   */
  constructor(capacity: number, spare: SpareMemory, expected = Infinity) {
    this.#capacity = capacity
    this.#first = Math.min(expected, firstStep, capacity)
    this.#spare = spare
  }

  get isFull(): boolean {
    return this.#filled === this.#capacity
  }

  /** How many bytes it has. */
  get size(): number {
    return this.#filled
  }

  /** For how many more bytes it has memory. */
  get room(): number {
    return this.#memory.length - this.#filled
  }

  /** How much memory it needs next. */
  get step(): number {
    const { length } = this.#memory
    return length === 0 ? this.#first : this.#capacity - length
  }

  /** Whether it has all its memory then. */
  get isLastStep(): boolean {
    return this.#memory.length + this.step === this.#capacity
  }

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#filled)
  }

  /** Gives it more memory. */
  grow(bytes: number): void {
    const larger = this.#spare.take(Math.min(this.#memory.length + bytes, this.#capacity))
    this.#memory.copy(larger, 0, 0, this.#filled)
    this.#memory = larger
  }

  /** Copies bytes, for which it has memory. */
  add(bytes: Buffer): void {
    bytes.copy(this.#memory, this.#filled)
    this.#filled += bytes.length
  }
}
