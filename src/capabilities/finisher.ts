import type { Upload } from '../upload.js'
import type { Stat } from './data-store.js'
import type { WriteOptions } from './call-options.js'

/**
 * Turns the stored bytes into the finished object, such as by completing a multipart upload or
 * sealing a blob. Leave the slot empty if complete bytes need no further step.
 */
export interface Finisher {
  /**
   * Finishes an upload whose bytes are all stored. Called again after a failure or a crash, so it
   * must be idempotent.
   */
  finish(upload: Upload, from: Stat, options: WriteOptions): Promise<void>
}
