import type { ReadOptions } from './call-options.js'

/** Finds expired records. Part of an info store. Filling the slot enables expiration. */
export interface ExpiryIndex {
  /**
   * Yields the ids of records whose `expiresAt` is not later than `now`, in any state and order. A
   * record that cannot be read must not stop the others: yield its id if you know it. The caller
   * reads each record again under its lock, and logs why it leaves one alone. So a record that has
   * changed meanwhile does no harm either. Rejects when the storage fails in the middle, because a
   * list that is cut short looks like a complete one.
   */
  expired(now: Date, options: ReadOptions): AsyncIterable<string>
}
