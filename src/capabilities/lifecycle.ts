/**
 * Opens and closes what a store, an info store or a locker holds, such as connections, timers or
 * watchers. Without it, an object would have to connect in its constructor, and nothing would ever
 * release what it holds.
 *
 * Several handlers, and several slots of one handler, can use the same object. Its methods are
 * called once for all of them.
 */
export interface Lifecycle {
  /**
   * Opens the object. Called once, before every other method, except for `maxSize` and `locate`,
   * which must work without it. A handler calls it at its first request that needs a store, or when
   * the application calls `handler.open()`.
   *
   * Reject if the object cannot be used, such as for a wrong password. That is how an application
   * tries its configuration. The next use then calls it again, so release what a failed call holds.
   * Reject with `ERR_STORAGE_UNAVAILABLE` and the failure as its `cause` if the storage cannot be
   * reached right now: clients try again. Other failures are reported to clients as internal.
   *
   * A request waits for it for `storeTimeout`. The call itself continues, and later requests wait
   * for the same call.
   */
  open(): Promise<void>

  /**
   * Releases everything that the object holds. Called once, when the last handler that uses the
   * object has closed, and never if the object has not been opened. The object is not used again.
   *
   * By then all calls have settled and all streams of `read` have ended, unless they outlast the
   * timeout of the stop. Calls and streams that are still in progress must settle; they may fail.
   * Releases of locks may also follow, and may reject too. A rejection is logged.
   */
  close(): Promise<void>
}
