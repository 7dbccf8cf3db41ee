import type { Upload } from '../upload.js'
import type { WriteOptions } from './call-options.js'

/** Removes data. Filling the slot turns the termination extension on, and lets expired uploads be removed. */
export interface Terminator {
  /** Removes everything at `upload.storage`, finished or not. Absence is success. */
  terminate(upload: Upload, options: WriteOptions): Promise<void>
}
