import type { Json } from '../upload.js'
import type { Fence } from './locker.js'

/** Options of operations that change nothing. */
export interface ReadOptions {
  /** When it aborts, the result is not wanted any more: reject with `signal.reason` as soon as you can. */
  readonly signal: AbortSignal
}

/** Options of operations that change something. */
export interface ChangeOptions {
  /**
   * When it aborts, what you were asked for is no longer yours to change: make no further change, and reject with
   * `signal.reason`. A change that was under way by then may have happened or not.
   */
  readonly signal: AbortSignal
}

/** Options of operations that change the data of an upload. They run under its lock. */
export interface WriteOptions extends ChangeOptions {
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
