/** The size of one read of a socket. No body gets less. */
const minimumShare = 65_536

/** Divides the memory for bytes that wait for a store among the bodies being read. */
export class BufferBudget {
  readonly #perUpload: number
  readonly #total: number
  readonly #readers = new Set<object>()

  constructor(perUpload: number, total: number) {
    this.#perUpload = perUpload
    this.#total = total
  }

  /** Bytes that a body may gather before it pauses its client. */
  get share(): number {
    return Math.max(minimumShare, Math.min(this.#perUpload, this.#total / this.#readers.size))
  }

  add(reader: object): void {
    this.#readers.add(reader)
  }

  remove(reader: object): void {
    this.#readers.delete(reader)
  }
}
