import type { ReadOptions } from '../capabilities/call-options.js'
import type { LockRequester } from '../capabilities/locker.js'

/** A lock that a call has taken. */
export interface TakenLock {
  readonly is: 'taken'
  /** See {@link Fence.token}. */
  readonly token: number
  /** See {@link Fence.forced}. */
  readonly forced: boolean
}

/** A lock that somebody holds, with the requests that the holder has got. */
export interface HeldLock {
  readonly is: 'held'
  readonly token: number
  /** Milliseconds until it is free, if its holder does not renew it. */
  readonly left: number
  /** How often writers have asked for it, and how often readers have. */
  readonly writers: number
  readonly readers: number
  /** The last request of a reader that the holder has declined, as a number of `readers`. */
  readonly declined: number
}

/** A lock that is free, but another caller has waited for it longer. */
export interface ReservedLock {
  readonly is: 'reserved'
  /** Milliseconds until it is free for all, if that caller does not take it. */
  readonly left: number
}

/**
 * The locks of a storage that several processes share, such as the rows of a table, for
 * {@link LeaseLocker}. Each method is one step in the storage, which compares the holder and makes
 * its change at once, so that no other process comes in between.
 *
 * Methods reject with `ERR_STORAGE_UNAVAILABLE` when the storage cannot be reached, and with
 * `signal.reason` when the signal aborts.
 */
export interface SharedLocks {
  /**
   * Takes the lock if it is free, for a lease that begins now. A lock whose lease has run out is
   * free, too, and then `forced` is true.
   *
   * @param caller - Names this wait for the lock, in all calls that belong to it. If it already has
   *   the lock, because the response to an earlier call was lost, it gets the same token again.
   */
  take(
    id: string,
    caller: string,
    options: ReadOptions,
  ): Promise<TakenLock | HeldLock | ReservedLock>

  /**
   * Notes that a caller does not wait any more. If it has the lock without knowing, releases it.
   *
   * If absent, such a lock is free after its lease.
   */
  leave?(id: string, caller: string, options: ReadOptions): Promise<void>

  /** Returns the lock as it is, or `undefined` if nobody holds it. */
  look(id: string, options: ReadOptions): Promise<HeldLock | undefined>

  /**
   * Leaves a request for the holder, and wakes it. Returns the number of the request, or
   * `undefined` if the lock is not held with this token any more.
   */
  ask(
    id: string,
    token: number,
    requester: LockRequester,
    options: ReadOptions,
  ): Promise<number | undefined>

  /**
   * Notes that the holder declines the requests of readers up to this one, and wakes them.
   *
   * @param lock - What {@link SharedLocks.take} returned.
   */
  decline(id: string, lock: TakenLock, readers: number, options: ReadOptions): Promise<void>

  /**
   * Begins a new lease if the lock is still held with its token. Returns it as it is then, or
   * `undefined` if it belongs to another holder.
   */
  renew(id: string, lock: TakenLock, options: ReadOptions): Promise<HeldLock | undefined>

  /**
   * Frees the lock if it is still held with its token, and wakes those who wait for it.
   *
   * @param forced - Whether the next holder finds it forced.
   */
  release(id: string, lock: TakenLock, forced: boolean, options: ReadOptions): Promise<void>

  /**
   * Calls `wake` when another process has changed the lock, and after each time in which such a
   * message can have been missed. Returns what ends that.
   *
   * If absent, or while messages do not arrive, changes are noticed after `pollInterval`.
   */
  watch?(id: string, wake: () => void): () => void
}
