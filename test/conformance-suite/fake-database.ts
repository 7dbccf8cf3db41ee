import { setImmediate as turn } from 'node:timers/promises'
import type { StorageFault } from 'tuskit/conformance'
import { failure } from './fake-server.js'

/** Notifies all listeners of a row. */
export type Notify = (id: string) => void

interface Listener {
  readonly heard: Notify
  readonly cut: () => void
}

/** A database that is not one: rows in memory, behind connections that can be cut. */
export class FakeDatabase {
  readonly #rows = new Map<string, string>()
  readonly #listeners = new Set<Listener>()
  #fault: StorageFault | undefined
  #cuts = 0
  #open = 0
  #resumed: Promise<void> = Promise.resolve()

  get connections(): number {
    return this.#open + this.#listeners.size
  }

  /** Opens a connection, and returns the function that closes it. */
  connect(): () => void {
    let left = 1
    this.#open++
    return () => {
      this.#open -= left
      left = 0
    }
  }

  /**
   * Runs a command on a connection of its own, which takes two turns there and two back. When the
   * connection is cut on the way back, the command has been executed, and the client does not know.
   */
  async run<T>(
    kind: 'read' | 'change',
    command: (rows: Map<string, string>, notify: Notify) => T,
  ): Promise<T> {
    const close = this.connect()
    try {
      return await this.#execute(kind, command)
    } finally {
      close()
    }
  }

  async #execute<T>(
    kind: 'read' | 'change',
    command: (rows: Map<string, string>, notify: Notify) => T,
  ): Promise<T> {
    const cuts = this.#cuts
    const arrive = async () => {
      await turn()
      await this.#resumed
      await turn()
      if (this.#cuts > cuts) throw failure('ECONNRESET')
    }
    if (this.#fault === 'down') throw failure('ECONNREFUSED')
    await arrive()
    if (this.#fault === 'gone') throw failure('ENOENT')
    if (this.#fault === 'refused' && kind === 'change') throw failure('EACCES')
    const result = command(this.#rows, (id) => this.#notify(id))
    await arrive()
    return result
  }

  /** Calls `heard` for each notice of a command, until the connection is cut. */
  async listen(heard: Notify, cut: () => void): Promise<void> {
    await this.run('read', () => this.#listeners.add({ heard, cut }))
  }

  #notify(id: string): void {
    for (const listener of this.#listeners) {
      void turn()
        .then(() => this.#resumed)
        .then(() => this.#listeners.has(listener) && listener.heard(id))
    }
  }

  /** Causes a fault. It begins before this returns. */
  unplug(fault: StorageFault): () => void {
    this.#fault = fault
    let resume = () => {}
    if (fault === 'paused') this.#resumed = new Promise((resolve) => (resume = resolve))
    if (fault === 'down') {
      this.#cuts++
      for (const { cut } of this.#listeners) cut()
      this.#listeners.clear()
    }
    return () => {
      this.#fault = undefined
      resume()
    }
  }
}
