import { unlessAborted } from 'tuskit/store-kit'
import type { SqliteDatabase, SqliteStatement } from './sqlite-database.js'
import { isBusy } from './sqlite-error.js'
import { whenFree } from './when-free.js'

interface Pending {
  readonly signal: AbortSignal
  /** When it gives up waiting for the lock, by `performance.now()`. */
  readonly deadline: number
  readonly change: () => unknown
  resolve(result: unknown): void
  reject(error: unknown): void
}

/**
 * Makes changes. All that come in the same turn of the event loop are one transaction, so they wait
 * for the disk together. If it fails, all of them fail.
 */
export class Transactions {
  readonly #begin: SqliteStatement
  readonly #commit: SqliteStatement
  readonly #rollback: SqliteStatement
  readonly #busyTimeout: number
  readonly #mayCommit: () => void
  #pending: Pending[] = []

  /** @param mayCommit - Throws if the transaction must not be committed. */
  constructor(database: SqliteDatabase, busyTimeout: number, mayCommit: () => void) {
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    this.#rollback = database.prepare('ROLLBACK')
    this.#busyTimeout = busyTimeout
    this.#mayCommit = mayCommit
  }

  /**
   * Returns the result of `change` when it is durable. May call it again if the transaction has to
   * be repeated, and does not call it after `signal` has aborted.
   */
  run<T>(signal: AbortSignal, change: () => T): Promise<T> {
    const work = new Promise<T>((resolve, reject) => {
      const settle = resolve as (result: unknown) => void
      const deadline = performance.now() + this.#busyTimeout
      this.#pending.push({ signal, deadline, change, resolve: settle, reject })
      if (this.#pending.length === 1) setImmediate(() => void this.#runPending())
    })
    return unlessAborted(signal, work)
  }

  async #runPending(): Promise<void> {
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      const timeout = first.deadline - performance.now()
      try {
        const results = await whenFree(() => this.#transaction(), timeout)
        for (const [{ resolve }, result] of results) resolve(result)
        return
      } catch (error) {
        // Those that came later may still wait for the lock.
        const end = isBusy((error as Error).cause) ? performance.now() : Infinity
        const failed = this.#pending.filter(({ deadline }) => deadline <= end)
        this.#pending = this.#pending.filter(({ deadline }) => deadline > end)
        for (const { reject } of failed) reject(error)
      }
    }
  }

  #transaction(): readonly (readonly [Pending, unknown])[] {
    // Those that have aborted are rejected already.
    this.#pending = this.#pending.filter(({ signal }) => !signal.aborted)
    if (this.#pending.length === 0) return []
    this.#begin.run()
    try {
      const results = this.#pending.map((pending) => [pending, pending.change()] as const)
      this.#mayCommit()
      this.#commit.run()
      this.#pending = []
      return results
    } catch (error) {
      this.#undo()
      throw error
    }
  }

  #undo(): void {
    try {
      this.#rollback.run()
    } catch {
      // SQLite has already done it, as after some failures.
    }
  }
}
