import type { SpaceCounter } from './space-counter.js'

/**
 * Counts in memory, with about 100 bytes per upload. For the handlers of one process that share a
 * limit.
 */
export class MemorySpaceCounter implements SpaceCounter {
  readonly #taken = new Map<string, number>()
  #used = 0

  /** The bytes that all counted uploads use together. */
  get used(): number {
    return this.#used
  }

  async reserve(id: string, bytes: number, limit: number): Promise<number> {
    const before = this.#taken.get(id) ?? 0
    const missing = this.#used - before + bytes - limit
    if (bytes > before && missing > 0) return missing
    this.#used += bytes - before
    if (bytes === 0) this.#taken.delete(id)
    else this.#taken.set(id, bytes)
    return 0
  }

  async note(id: string, bytes: number): Promise<boolean> {
    if (this.#taken.has(id)) return false
    await this.reserve(id, bytes, Infinity)
    return true
  }
}
