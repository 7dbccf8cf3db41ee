import type { Upload } from '../upload.js'

/** Keeps the records of uploads. */
export interface InfoStore {
  /** Stores the first record of an upload, durably when it resolves. Rejects with `ERR_ID_TAKEN`. */
  create(upload: Upload): Promise<void>

  /** The record, or `undefined` when there is none. Rejects when it cannot tell. */
  get(id: string): Promise<Upload | undefined>

  /**
   * Replaces the record, when `upload.revision` is the stored revision + 1. Otherwise, and when there is no
   * record, rejects with `ERR_INFO_CONFLICT` and writes nothing. Of several concurrent calls with the same
   * revision one succeeds, whichever processes they come from.
   */
  update(upload: Upload): Promise<void>

  /** Removes the record. Absence is success. */
  delete(id: string): Promise<void>
}
