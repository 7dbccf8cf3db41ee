/** Who asks a holder to let go: somebody who wants to write, or somebody who only wants to know the offset. */
export type LockRequester = 'writer' | 'reader'

/** Options of {@link Locker.acquire}. */
export interface AcquireOptions {
  /** When it aborts, the wait ends: the promise rejects with `signal.reason`. */
  readonly signal: AbortSignal
  /**
   * Called while the lock is held, each time somebody asks for it. Must not throw or reject. Returns whether the holder
   * lets go soon: a `writer` is never declined, a `reader` is when the holder is making progress. The result for a
   * `reader` may be a promise, because the holder first has to find out whether its client is still there. A `writer`
   * gets `true` at once.
   */
  readonly requestRelease: (requester: LockRequester) => boolean | Promise<boolean>
}

/**
 * Gives an upload to one writer at a time.
 *
 * `acquire` and `settle` reject with `ERR_STORAGE_UNAVAILABLE`, and with what went wrong as its `cause`, when the locks
 * cannot be reached right now.
 */
export interface Locker {
  /**
   * Waits for the lock and takes it, first come, first served within a process, and without polling there. While
   * somebody else holds it, the holder's `requestRelease('writer')` is called.
   */
  acquire(id: string, options: AcquireOptions): Promise<Lock>

  /**
   * For readers: `free` when nobody holds the lock. Otherwise asks the holder with `requestRelease('reader')` and waits
   * for its response: when it declines, or cannot be asked, resolves to `held`; when it agrees, waits until it has let
   * go.
   *
   * When `signal` aborts while it waits, rejects with `signal.reason`.
   */
  settle(id: string, options: { readonly signal: AbortSignal }): Promise<'free' | 'held'>
}

/** Tells a store whether the storage still belongs to it. */
export interface Fence {
  /** Grows with every acquisition of the same lock. */
  readonly token: number
  /** Whether an earlier holder never released the lock and was not shut out since: it may still try to write. */
  readonly forced: boolean
  /**
   * Says that the store has shut out whoever held the lock before, so that nothing they still write counts. Until a
   * store says so, one holder after the other finds `forced`.
   */
  shutOut(): void
  /** Whether the lock is still held. Synchronous, and right even after the process was suspended. */
  held(): boolean
}

/** A lock that is held. */
export interface Lock extends Fence {
  /** Aborts when the lock is lost without having been released. */
  readonly lost: AbortSignal
  /** Gives the lock back. Affects this acquisition only; a second call does nothing. */
  release(): Promise<void>
}
