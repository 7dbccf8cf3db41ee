import type { Upload } from '../upload.js'
import type { ChangeOptions, ReadOptions } from './call-options.js'

/**
 * Keeps the records of uploads.
 *
 * Each method gets a `signal`. If it has already aborted, change nothing. During a call, heed it as
 * far as your storage allows. A call that ignores it harms only its own upload, which stays locked
 * until the call has settled.
 *
 * All operations reject with `ERR_STORAGE_UNAVAILABLE` and the failure as its `cause` when the
 * records cannot be reached right now, and with `ERR_STORAGE_FULL` when there is no space for one.
 * A change that rejected may have been made or not. After a `create` that rejected, `get` may
 * reject with `ERR_INFO_CORRUPT`. If you repeat a change, compare the stored record with yours
 * before you report `ERR_ID_TAKEN` or `ERR_INFO_CONFLICT`.
 */
export interface InfoStore {
  /**
   * Stores the first record of an upload. It is durable when the promise resolves. Rejects with
   * `ERR_ID_TAKEN` if the id has a record.
   */
  create(upload: Upload, options: ChangeOptions): Promise<void>

  /** Returns the record, or `undefined` if it does not exist. Rejects if that is not known. */
  get(id: string, options: ReadOptions): Promise<Upload | undefined>

  /**
   * Replaces the record if `upload.revision` is the stored revision + 1. Otherwise, or if there is
   * no record, rejects with `ERR_INFO_CONFLICT` and writes nothing. Of several concurrent calls
   * with the same revision exactly one succeeds, even if they come from different processes.
   */
  update(upload: Upload, options: ChangeOptions): Promise<void>

  /** Removes the record. Succeeds if it does not exist. */
  delete(id: string, options: ChangeOptions): Promise<void>
}
