/**
 * Memory of parts that are stored, for the next parts. New memory costs more than the copy of the
 * bytes: the system has to fill it with zeros, and its size makes V8 look for garbage.
 */
export class SpareMemory {
  readonly #size: number
  readonly #most: number
  readonly #spare: Buffer[] = []

  /**
   * @param size - The usual size of a part. Memory of other sizes is not kept.
   * @param most - How many parts are kept.
   */
  constructor(size: number, most: number) {
    this.#size = size
    this.#most = most
  }

  take(size: number): Buffer {
    const spare = size === this.#size ? this.#spare.pop() : undefined
    return spare ?? Buffer.allocUnsafeSlow(size)
  }

  /** Takes memory back that nothing reads or writes any more. */
  give(memory: Buffer): void {
    // It may be a piece of more memory.
    const isWhole = memory.length === this.#size && memory.buffer.byteLength === this.#size
    if (isWhole && this.#spare.length < this.#most) this.#spare.push(memory)
  }
}
