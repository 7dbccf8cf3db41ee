import type { Upload } from '../upload.js'
import type { Stat } from './data-store.js'
import type { AppendOptions } from './call-options.js'
import type { UploadBody } from './upload-body.js'

/** Appends a chunk that counts only once it is verified. Filling the slot turns the checksum extension on. */
export interface VerifiedAppender {
  /**
   * Like {@link DataStore.append}, but no byte of the body counts until `accept` resolved to true: not for
   * `stat` beside it, not after a crash in the middle, not when the body ends early.
   *
   * `accept` is called once, after the end of the body. When it resolves to false, the store discards the chunk
   * and returns what was stored before.
   */
  appendVerified(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    accept: () => Promise<boolean>,
    options: AppendOptions,
  ): Promise<Stat>
}
