import type { ReadOptions } from './options.js'

/** Finds records whose time is over. Offered by info stores. Filling the slot turns expiration on. */
export interface ExpiryIndex {
  /**
   * The ids of records whose `expiresAt` is not later than `now`, and of what a creation left that was cut off before
   * its record was whole, in any order. The caller reads each record again under its lock, so an id that has changed
   * since does no harm.
   */
  expired(now: Date, options: ReadOptions): AsyncIterable<string>
}
