/** No body gets less than one read of a socket. */
const least = 65_536

/** Divides the memory for bytes that wait for their store among the bodies that are being read. */
export class BufferBudget {
  readonly #perUpload: number
  readonly #total: number
  readonly #readers = new Set<object>()

  constructor(perUpload: number, total: number) {
    this.#perUpload = perUpload
    this.#total = total
  }

  /** How many bytes a body may gather before it pauses its client. */
  get share(): number {
    return Math.max(least, Math.min(this.#perUpload, this.#total / this.#readers.size))
  }

  join(reader: object): void {
    this.#readers.add(reader)
  }

  leave(reader: object): void {
    this.#readers.delete(reader)
  }
}
