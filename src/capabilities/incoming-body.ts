import type { UploadBody } from './upload-body.js'

/**
 * Why a body ended: `complete`, all of it came; `disconnected`, the client vanished; `stalled`, nothing came for
 * too long; and what {@link IncomingBody.stop} was told.
 */
export type BodyEnd = 'complete' | 'disconnected' | 'stalled' | StopReason

/**
 * `released`: the lock goes to somebody else; `stopped`: a hook ended the upload; `shutdown`: the server stops;
 * `overrun`: more bytes came than there is room for; `unread`: the store returned before the end.
 */
export type StopReason = 'released' | 'stopped' | 'shutdown' | 'overrun' | 'unread'

/** A body as the HTTP side hands it to the uploads side. Stores see an {@link UploadBody} only. */
export interface IncomingBody extends UploadBody {
  /**
   * Takes no more bytes from the client, at once; those that came are still delivered. `released` also cuts the
   * connection, before it returns. Does nothing when the body has ended.
   */
  stop(reason: StopReason): void
  /** Resolves when no more bytes will come. Never rejects. */
  readonly ended: Promise<BodyEnd>
  /** How long nothing has come although it was waited for, in milliseconds; 0 while the store is busy. */
  idleTime(): number
}
