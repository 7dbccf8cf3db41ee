import type { UploadBody } from './upload-body.js'

/**
 * Why a body ended. `complete`: all of it came. `disconnected`: the client vanished. `stalled`:
 * nothing came for too long. Or the reason that {@link IncomingBody.stop} was called with.
 */
export type BodyEnd = 'complete' | 'disconnected' | 'stalled' | StopReason

/**
 * Why a body is stopped. `released`: another request gets the lock. `stopped`: a hook ended the
 * upload. `shutdown`: the server stops. `overrun`: more bytes came than the limit allows. `unread`:
 * the store returned before the end.
 */
export type StopReason = 'released' | 'stopped' | 'shutdown' | 'overrun' | 'unread'

/** A body as `http` hands it to `uploads`. Stores see only an {@link UploadBody}. */
export interface IncomingBody extends UploadBody {
  /**
   * Stops accepting bytes from the client at once. Those that came are still delivered. `released`
   * also closes the connection before it returns. Does nothing if the body has ended.
   */
  stop(reason: StopReason): void
  /** Resolves when no more bytes will come. Never rejects. */
  readonly ended: Promise<BodyEnd>
  /** Bytes that have come so far. */
  readonly received: number
  /**
   * Milliseconds that the server has waited for the client and nothing came. 0 while the store is
   * busy.
   */
  idleTime(): number
}
