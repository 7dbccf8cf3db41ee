import type { Json } from '../upload.js'
import type { Fence } from './locker.js'

/** Options of operations that change nothing. */
export interface ReadOptions {
  /** When it aborts, the result is not wanted any more. */
  readonly signal: AbortSignal
}

/** Options of operations that change the medium. They run under the lock of the upload. */
export interface WriteOptions {
  /** When it aborts, the storage is no longer yours: make no further change, reject with `signal.reason`. */
  readonly signal: AbortSignal
  /** Proof that the lock is held; ask it before every change. */
  readonly fence: Fence
  /**
   * Records `secret` as `upload.storage.secret`, durably when the promise resolves. Store it before the first
   * change that could not be found again without it.
   */
  saveSecret(secret: Json): Promise<void>
}

/** Options of {@link DataStore.create}. */
export interface CreateOptions extends WriteOptions {
  /** Bytes that come with the creating request: none, some, or all of the upload. */
  readonly incoming: 'nothing' | 'some' | 'everything'
}

/** Options of {@link DataStore.append} and {@link VerifiedAppender.appendVerified}. */
export interface AppendOptions extends WriteOptions {
  /**
   * Call it whenever more bytes are durable, contiguous and countable, with the absolute offset. It never
   * decreases, and the last call tells what the operation returns. Not called for bytes that await verification.
   */
  progress(offset: number): void
}
