import type { Upload } from '../upload.js'
import type { Stat } from './data-store.js'
import type { WriteOptions } from './call-options.js'

/**
 * Turns the stored bytes into the finished object (completes a multipart upload, seals a blob). Without it, full
 * bytes need no act.
 */
export interface Finisher {
  /** Called once all bytes are stored; again after a failure or a crash, so it is idempotent. */
  finish(upload: Upload, from: Stat, options: WriteOptions): Promise<void>
}
