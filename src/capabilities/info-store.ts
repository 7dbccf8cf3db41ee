import type { Upload } from '../upload.js'
import type { ChangeOptions, ReadOptions } from './call-options.js'

/**
 * Keeps the records of uploads.
 *
 * Each method gets a `signal`. One that has aborted already changes nothing; while a call is under way, heed it as far
 * as your medium lets you. A call that ignores it does no harm but to its upload, which stays locked until the call
 * has settled.
 *
 * All of its operations reject with `ERR_STORAGE_UNAVAILABLE`, and with what went wrong as its `cause`, when the records
 * cannot be reached right now; with `ERR_STORAGE_FULL` when there is no room for one.
 */
export interface InfoStore {
  /** Stores the first record of an upload, durably when it resolves. Rejects with `ERR_ID_TAKEN`. */
  create(upload: Upload, options: ChangeOptions): Promise<void>

  /** The record, or `undefined` when there is none. Rejects when it cannot tell. */
  get(id: string, options: ReadOptions): Promise<Upload | undefined>

  /**
   * Replaces the record, when `upload.revision` is the stored revision + 1. Otherwise, and when there is no
   * record, rejects with `ERR_INFO_CONFLICT` and writes nothing. Of several concurrent calls with the same
   * revision one succeeds, whichever processes they come from.
   */
  update(upload: Upload, options: ChangeOptions): Promise<void>

  /** Removes the record. Absence is success. */
  delete(id: string, options: ChangeOptions): Promise<void>
}
