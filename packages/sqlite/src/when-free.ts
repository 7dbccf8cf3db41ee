import { setTimeout as sleep } from 'node:timers/promises'
import { isBusy, sqliteError } from './sqlite-error.js'

/**
 * Returns the result of `work`, and calls it again while another connection has the lock, for up to
 * `timeout` milliseconds. SQLite itself would wait in the middle of the call, and stop the event
 * loop for as long.
 */
export async function whenFree<T>(work: () => T, timeout: number): Promise<T> {
  const deadline = performance.now() + timeout
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw sqliteError(error)
    }
    // At random, because processes that wait alike would meet again.
    await sleep(1 + Math.random() * 10)
  }
}
