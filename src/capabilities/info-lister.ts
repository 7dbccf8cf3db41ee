import type { ReadOptions } from './call-options.js'

/** Options of {@link InfoLister.ids}. */
export interface ListOptions extends ReadOptions {
  /** Only ids that come after this one. Absent: from the first. */
  readonly after?: string
}

/** Lists records: for migration, recounting and recovery. Offered by info stores. */
export interface InfoLister {
  /** The ids of all records, in ascending order of their UTF-16 code units. */
  ids(options: ListOptions): AsyncIterable<string>
}
