import type { Upload } from '../upload.js'
import type { WriteOptions } from './call-options.js'

/**
 * Removes data. Filling the slot enables the termination extension and the removal of expired
 * uploads.
 */
export interface Terminator {
  /**
   * Removes everything at `upload.storage`, finished or not. Succeeds if there is nothing, and
   * rejects when that is not known: the record is deleted afterwards.
   */
  terminate(upload: Upload, options: WriteOptions): Promise<void>
}
