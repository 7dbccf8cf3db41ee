import type { Upload } from '../upload.js'
import type { Stat } from './data-store.js'
import type { AppendOptions } from './call-options.js'
import type { UploadBody } from './upload-body.js'

/**
 * Appends a chunk that counts only once it is verified. Filling the slot enables the checksum
 * extension.
 */
export interface VerifiedAppender {
  /**
   * Works like {@link DataStore.append}, but no byte of the body counts until `accept` has resolved
   * to `true`: not for a `stat` meanwhile, not after a crash, not when the body ends early.
   *
   * Call `accept` once, after the body has ended. If it resolves to `false`, discard the chunk and
   * return `from`.
   */
  appendVerified(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    accept: () => Promise<boolean>,
    options: AppendOptions,
  ): Promise<Stat>
}
