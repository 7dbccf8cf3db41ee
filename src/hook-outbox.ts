import type { ReadOptions } from './capabilities/call-options.js'
import type { Lifecycle } from './capabilities/lifecycle.js'
import type { HookRequest } from './hook-request.js'
import type { HookEvent, HookType } from './hooks.js'
import type { Upload } from './upload.js'

/** The events that an outbox keeps, in the order in which they happen to an upload. */
export const outboxTypes = [
  'post-create',
  'post-finish',
  'post-terminate',
] as const satisfies readonly HookType[]

/** An event that waits for its delivery, as plain data. */
export interface OutboxEntry {
  readonly event: HookEvent & { readonly type: (typeof outboxTypes)[number] }
  /** The record after the event. */
  readonly upload: Upload
  /** Bytes that are stored. */
  readonly offset: number
  /** The request that caused the event. Absent when no request was the cause. */
  readonly request?: HookRequest
  /**
   * Whether it is certain that the event has happened. Otherwise the record of the upload decides.
   */
  readonly happened: boolean
  /** When the entry was first stored, as an ISO 8601 time. */
  readonly storedAt: string
}

/**
 * Keeps the events `post-create`, `post-finish` and `post-terminate` until hooks have taken them,
 * across crashes. An entry is stored before the record of its upload changes, and again afterwards.
 * All processes that share uploads share an outbox, too.
 *
 * Rejects with `ERR_STORAGE_UNAVAILABLE` if the storage cannot be reached.
 */
export interface HookOutbox extends Partial<Lifecycle> {
  /** Stores an entry. It is durable when the promise resolves. Replaces one with the same event. */
  put(entry: OutboxEntry, options: ReadOptions): Promise<void>
  /** Returns the entries of an upload, in the order of {@link outboxTypes}. */
  get(uploadId: string, options: ReadOptions): Promise<readonly OutboxEntry[]>
  /** Removes an entry. Absence is success. */
  delete(entry: OutboxEntry, options: ReadOptions): Promise<void>
  /** Moves an entry to where an administrator finds it, with the reason. */
  giveUp(entry: OutboxEntry, reason: string, options: ReadOptions): Promise<void>
  /** Yields the ids of all uploads with entries. An id may come twice. */
  uploadIds(options: ReadOptions): AsyncIterable<string>
}
