import { setImmediate as turn } from 'node:timers/promises'
import type { StorageFault } from 'tuskit/conformance'
import { failure } from './fake-server.js'

/** A database that is not one: rows in memory, behind connections that can be cut. */
export class FakeDatabase {
  readonly #rows = new Map<string, string>()
  #fault: StorageFault | undefined
  #cuts = 0
  #resumed: Promise<void> = Promise.resolve()

  /**
   * Runs a command, which takes two turns there and two back. When the connection is cut on the way
   * back, the command has been executed, and the client does not know.
   */
  async run<T>(kind: 'read' | 'change', command: (rows: Map<string, string>) => T): Promise<T> {
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
    const result = command(this.#rows)
    await arrive()
    return result
  }

  /** Causes a fault. It begins before this returns. */
  unplug(fault: StorageFault): () => void {
    this.#fault = fault
    let resume = () => {}
    if (fault === 'paused') this.#resumed = new Promise((resolve) => (resume = resolve))
    if (fault === 'down') this.#cuts++
    return () => {
      this.#fault = undefined
      resume()
    }
  }
}
