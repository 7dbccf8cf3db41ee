/** The request that asks for a held lock: one that writes, or one that only reads the offset. */
export type LockRequester = 'writer' | 'reader'

/** Options of {@link Locker.acquire}. */
export interface AcquireOptions {
  /** Ends the wait when it aborts: the promise rejects with `signal.reason`. */
  readonly signal: AbortSignal
  /**
   * Called each time another request asks for the lock while it is held. Must not throw or reject.
   * Returns whether the holder will release the lock soon. For a `writer` it returns `true` at
   * once. For a `reader` it returns `false` if the holder is making progress. That result may be a
   * promise, because the holder first has to find out whether its client is still there.
   */
  readonly requestRelease: (requester: LockRequester) => boolean | Promise<boolean>
}

/**
 * Gives an upload to one writer at a time.
 *
 * When the locks cannot be reached right now, `acquire` and `settle` reject with
 * `ERR_STORAGE_UNAVAILABLE` and the failure as its `cause`, or wait until `signal` aborts. `settle`
 * can also resolve to `held`, but never to `free`.
 *
 * Locks that can be lost have a lease: a holder counts it from when it sent the request, and each
 * change in the storage compares the holder.
 */
export interface Locker {
  /**
   * Waits for the lock and takes it. Within a process, requests are served in order and without
   * polling. While the lock is held, calls the holder's `requestRelease('writer')`, also after a
   * lost connection.
   */
  acquire(id: string, options: AcquireOptions): Promise<Lock>

  /**
   * Waits, for a reader, until the lock is free or its holder is known to continue. Resolves to
   * `free` if the lock is not held. Otherwise calls the holder's `requestRelease('reader')`. If the
   * holder declines or cannot be reached, resolves to `held`. If it agrees, waits until it has
   * released the lock.
   *
   * Rejects with `signal.reason` if `signal` aborts meanwhile.
   */
  settle(id: string, options: { readonly signal: AbortSignal }): Promise<'free' | 'held'>
}

/** Shows a store whether it may still change the storage. */
export interface Fence {
  /**
   * A number that grows with every acquisition of the same lock, also when the storage has
   * restarted or the lock was lost.
   */
  readonly token: number
  /**
   * Whether an earlier holder never released the lock and has not been shut out since. It may still
   * try to write.
   */
  readonly forced: boolean
  /**
   * Records that the store has shut out all earlier holders, so that nothing they still write
   * counts. Until a store calls it, each new holder finds `forced` set.
   */
  shutOut(): void
  /**
   * Returns whether the lock is still held. Synchronous, and right even after the process was
   * suspended: it is false before the storage gives the lock to another holder.
   */
  held(): boolean
}

/** A lock that is held. */
export interface Lock extends Fence {
  /** Aborts when the lock is lost without having been released. */
  readonly lost: AbortSignal
  /**
   * Releases the lock. Affects only this acquisition. A second call does nothing. A lost lock stays
   * unreleased in the storage, so that the next holder finds `forced` set. When the locks cannot be
   * reached, it can wait or reject, and the lease ends the lock.
   */
  release(): Promise<void>
}
