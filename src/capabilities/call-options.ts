import type { Json } from '../upload.js'
import type { Fence } from './locker.js'

/** Options of operations that change nothing. */
export interface ReadOptions {
  /**
   * When it aborts, the result is no longer needed: reject with `signal.reason` as soon as you can.
   */
  readonly signal: AbortSignal
}

/** Options of operations that change something. */
export interface ChangeOptions {
  /**
   * When it aborts, make no further change, and reject with `signal.reason`. A change that was in
   * progress may have happened or not. The upload stays locked until the promise settles, so settle
   * it when no change of yours can happen any more.
   */
  readonly signal: AbortSignal
}

/** Options of operations that change the data of an upload. They run under its lock. */
export interface WriteOptions extends ChangeOptions {
  /** Shows whether the lock is still held. Check it before every change. */
  readonly fence: Fence
  /**
   * Records `secret` as `upload.storage.secret`. It is durable when the promise resolves. Save it
   * before the first change that could not be found again without it. If it rejects, reject too.
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
   * Reports the absolute offset. Call it as soon as more bytes are durable and contiguous. You may
   * hold back as many bytes as you document as the memory of an upload, until the body ends. The
   * offset never decreases, and the last one is what the operation returns. Do not call it for
   * bytes that await verification.
   */
  progress(offset: number): void
}
