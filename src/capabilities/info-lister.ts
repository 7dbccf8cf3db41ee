import type { ReadOptions } from './call-options.js'

/** Options of {@link InfoLister.ids}. */
export interface ListOptions extends ReadOptions {
  /**
   * Only ids that come after this one.
   * @default from the first id
   */
  readonly after?: string
}

/** Lists records for migration, recounting and recovery. Part of an info store. */
export interface InfoLister {
  /**
   * Yields the ids of all records, in ascending order of their UTF-16 code units. Rejects when the
   * storage fails in the middle, because a list that is cut short looks like a complete one.
   */
  ids(options: ListOptions): AsyncIterable<string>
}
