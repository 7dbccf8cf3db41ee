/** Buffers smaller than this are merged: a million one-byte buffers would cost 100 MB. */
const tiny = 4096

/** Gathers a body while the store is busy. Small pieces are merged, so the buffers stay few. */
export class Batch {
  readonly #buffers: Buffer[] = []
  #tiny: Buffer[] = []
  #tinyBytes = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (chunk.length >= tiny) {
      this.#seal()
      this.#buffers.push(chunk)
      return
    }
    this.#tiny.push(chunk)
    this.#tinyBytes += chunk.length
    if (this.#tinyBytes >= tiny) this.#seal()
    else if (this.#tiny.length === 64) this.#tiny = [Buffer.concat(this.#tiny)]
  }

  /** Returns the buffers in order. Call it once, when nothing more will be added. */
  buffers(): readonly Buffer[] {
    this.#seal()
    return this.#buffers
  }

  #seal(): void {
    if (this.#tiny.length === 0) return
    this.#buffers.push(this.#tiny.length === 1 ? this.#tiny[0]! : Buffer.concat(this.#tiny))
    this.#tiny = []
    this.#tinyBytes = 0
  }
}
