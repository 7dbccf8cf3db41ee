import type { ReadOptions } from './call-options.js'

/** Finds records whose time is over. Offered by info stores. Filling the slot turns expiration on. */
export interface ExpiryIndex {
  /**
   * The ids of records whose `expiresAt` is not later than `now`, whatever their state, in any order. A record that cannot be
   * read does not stop the others: its id is yielded if that is known, and the caller, who reads each record again under its lock,
   * logs why and leaves it alone. So an id that has changed since does no harm, either.
   */
  expired(now: Date, options: ReadOptions): AsyncIterable<string>
}
