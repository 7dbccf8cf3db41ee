import { unlessAborted } from 'tuskit/store-kit'
import type { FakeDatabase } from './fake-database.js'

/** Wakes one caller at each notice. */
export interface Bell {
  /** Resolves at the next notice since the last call, or after `atMost` milliseconds. */
  next(atMost: number, signal: AbortSignal): Promise<void>
  stop(): void
}

/**
 * Notices of changes of locks. After a cut it connects again, and then calls all listeners,
 * because notices were missed.
 */
export class Notices {
  readonly #database: FakeDatabase
  readonly #listeners = new Set<{ readonly id: string; readonly heard: () => void }>()
  #connected = false

  constructor(database: FakeDatabase) {
    this.#database = database
  }

  /** Calls `heard` at each notice about a lock. Returns a function that ends that. */
  listen(id: string, heard: () => void): () => void {
    const listener = { id, heard }
    this.#listeners.add(listener)
    if (!this.#connected) void this.connect()
    return () => this.#listeners.delete(listener)
  }

  bell(id: string): Bell {
    let rang = false
    let wake = () => {}
    const stop = this.listen(id, () => {
      rang = true
      wake()
    })
    return {
      stop,
      async next(atMost, signal) {
        let timer: NodeJS.Timeout | undefined
        const ringing = new Promise<void>((resolve) => {
          wake = resolve
          timer = setTimeout(resolve, rang ? 0 : atMost)
        })
        await unlessAborted(signal, ringing).finally(() => clearTimeout(timer))
        rang = false
      },
    }
  }

  async connect(): Promise<void> {
    this.#connected = true
    try {
      await this.#database.listen(
        (id) => this.#tell((listener) => listener.id === id),
        () => this.lose(),
      )
      this.#tell(() => true)
    } catch {
      this.lose()
    }
  }

  /** Notes that the connection is lost. */
  lose(): void {
    this.#connected = false
    if (this.#listeners.size > 0) setTimeout(() => !this.#connected && void this.connect(), 5)
  }

  #tell(which: (listener: { readonly id: string }) => boolean): void {
    for (const listener of [...this.#listeners].filter(which)) listener.heard()
  }
}
