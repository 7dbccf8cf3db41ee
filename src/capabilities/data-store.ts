import type { StorageRef, UnplacedUpload, Upload } from '../upload.js'
import type { AppendOptions, CreateOptions, ReadOptions } from './call-options.js'
import type { UploadBody } from './upload-body.js'

/**
 * The state of one upload's data. A store may return a subtype with what it needs again, such as
 * parts or a descriptor. It gets that back as `from` while the same lock is held.
 */
export interface Stat {
  /** Bytes that are stored contiguously, durably and verified. */
  readonly offset: number
}

/**
 * Keeps the bytes of uploads. This is the one capability that a store must have. The others have
 * slots of their own.
 *
 * Rules for all operations:
 * - Keep nothing about a call in members: calls for different uploads run at the same time, and
 *   never wait for each other.
 * - When the body ends, flush what came and return. When `signal` aborts, the storage is no longer
 *   yours: make no further change and reject with `signal.reason`. The body ends then, too.
 * - Call `fence.held()` before every change of the storage. If it returns `false`, reject with
 *   `ERR_LOCK_LOST`.
 * - Accept uploads whose `length` is not known yet.
 * - Reject when the storage fails: with `ERR_STORAGE_FULL` only when it says that it is full, and
 *   with `ERR_STORAGE_UNAVAILABLE` and the failure as its `cause` in all other cases.
 *   Never report data as missing because of a failure: clients would start over instead of trying
 *   again.
 */
export interface DataStore {
  /** Maximum size of one upload in bytes. `Infinity` if the storage has no limit. */
  readonly maxSize: number

  /**
   * Chooses the place of the data. Pure: no I/O, and the same result for the same upload. The
   * result is recorded before anything is stored, so that all data can be found from a record.
   *
   * Throws `ERR_INVALID_PLACE` when `upload.place` lies outside the store, or is not described in
   * the store's terms. A place that is a path is relative to the folder of the store. Uploads whose
   * metadata is the same have different places.
   */
  locate(upload: UnplacedUpload): StorageRef

  /**
   * Creates an object of 0 bytes at `upload.storage`. It exists even if no `append` follows.
   *
   * Rejects with `ERR_DATA_EXISTS` if there is already something. If the store accepts
   * `upload.place`, that check is atomic, because two uploads may ask for the same place. Never
   * called twice for the same upload, not even after a crash.
   */
  create(upload: Upload, options: CreateOptions): Promise<void>

  /**
   * Returns what is stored. May be called at any time from any process, even during an `append`,
   * which it must not disturb. Then: every offset ever reported ≤ the result ≤ what is durable and
   * verified.
   *
   * Rejects with `ERR_DATA_MISSING` if there is no data, and never returns 0 for missing data. Any
   * other rejection means that the state is not known.
   */
  stat(upload: Upload, options: ReadOptions): Promise<Stat>

  /**
   * Stores the body from `from.offset` on and returns what is stored then. `from` is the result of
   * `stat`, or just `{ offset: 0 }` after `create`. Returns normally when the body ends early, even
   * after 0 bytes, and never returns less than `from`.
   */
  append(upload: Upload, from: Stat, body: UploadBody, options: AppendOptions): Promise<Stat>
}
