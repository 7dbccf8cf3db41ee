import { isTusError } from 'tuskit'
import type { Metrics } from './metrics.js'

/** Measures calls of stores, by the names that the log of a handler has for them. */
export class StoreTimer {
  readonly #metrics: Metrics

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  /** Runs a call. Without `waited`, all of its time is the store's. */
  async time<T>(
    operation: string,
    call: () => T | Promise<T>,
    waited: () => number = () => 0,
  ): Promise<T> {
    const started = performance.now()
    try {
      return await call()
    } catch (error) {
      const code = isTusError(error) ? error.code : 'ERR_INTERNAL'
      this.#metrics.storeErrors.inc({ operation, code })
      throw error
    } finally {
      const milliseconds = performance.now() - started - waited()
      this.#metrics.storeSeconds.observe({ operation }, milliseconds / 1000)
    }
  }
}
