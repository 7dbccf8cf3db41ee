import { finished, type Readable } from 'node:stream'

/** The contents that are being read. A store is not closed under them. */
export class OpenContents {
  readonly #contents = new Set<Readable>()
  #resolveEnded: (() => void) | undefined

  /** Adds a stream, until it ends, fails or is destroyed. */
  add(content: Readable): void {
    this.#contents.add(content)
    finished(content, { writable: false }, () => {
      this.#contents.delete(content)
      if (this.#contents.size === 0) this.#resolveEnded?.()
    })
  }

  /** Resolves when none is left. Call it when no more can come. */
  ended(): Promise<void> {
    if (this.#contents.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  /** Ends those that are left. */
  destroy(error: Error): void {
    for (const content of this.#contents) content.destroy(error)
  }
}
