import type { StorageRef, UnplacedUpload, Upload } from '../upload.js'
import type { AppendOptions, CreateOptions, ReadOptions } from './call-options.js'
import type { UploadBody } from './upload-body.js'

/**
 * What a data store found out about the data of one upload. A store returns a subtype with whatever it wants to
 * see again (parts, a descriptor), and gets it back as `from` in the same turn of the lock.
 */
export interface Stat {
  /** Bytes that are stored contiguously, durably and verified. */
  readonly offset: number
}

/**
 * Keeps the bytes of uploads. The one capability that a store must have; the others are slots of their own.
 *
 * Rules for all of its operations:
 * - *End of body* means: flush what came and return. *An aborted `signal`* means: the storage is no longer
 *   yours; make no further change and reject with `signal.reason`.
 * - Ask `fence.held()` before every change of the medium; when it says no, reject with `ERR_LOCK_LOST`.
 * - Every store accepts uploads whose `length` is not known yet.
 * - Failures of the medium reject. A medium that is full rejects with `ERR_STORAGE_FULL`; one that cannot be reached
 *   right now rejects with `ERR_STORAGE_UNAVAILABLE`, with what went wrong as its `cause`, and never as if something were
 *   missing: clients try again instead of starting over.
 */
export interface DataStore {
  /** The most bytes that one upload may have; `Infinity` when the medium has no limit. */
  readonly maxSize: number

  /**
   * Chooses where the data will live. Pure: no I/O, and the same answer for the same upload. The result is
   * recorded before the medium is touched, so that whatever lies there can be found from a record.
   *
   * Throws `ERR_INVALID_PLACE` when `upload.place` asks for something outside the store, or in terms that the store
   * does not know.
   */
  locate(upload: UnplacedUpload): StorageRef

  /**
   * Makes room for the upload at `upload.storage`. After `create` without any `append` an object of 0 bytes
   * is there.
   *
   * Rejects with `ERR_DATA_EXISTS` when something is there already.
   */
  create(upload: Upload, options: CreateOptions): Promise<void>

  /**
   * Says what is stored. May be called at any time from any process, also beside an `append`, which it must not
   * disturb; then: every offset ever announced ≤ the result ≤ what is durable and verified.
   *
   * Rejects with `ERR_DATA_MISSING` when nothing is there; never answers 0 for missing data. Any other
   * rejection means: cannot tell.
   */
  stat(upload: Upload, options: ReadOptions): Promise<Stat>

  /**
   * Stores the body from `from.offset` on and returns what is stored then. `from` is what `stat` found, or just
   * `{ offset: 0 }` after `create`. Returns normally when the body ends early, even after 0 bytes, and never returns
   * less than `from`.
   */
  append(upload: Upload, from: Stat, body: UploadBody, options: AppendOptions): Promise<Stat>
}
