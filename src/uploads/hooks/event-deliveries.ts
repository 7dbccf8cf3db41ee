import type { IncomingMessage } from 'node:http'
import type { OutboxEntry } from '../../hook-outbox.js'
import type { Fact } from './listeners.js'

/** Delivers the events of an outbox. */
export interface EventDeliveries {
  /** Stores an event that is about to happen. */
  announce(entry: OutboxEntry): Promise<void>
  /** Notes that an event has happened, under the lock of the upload. Never rejects. */
  confirm(entry: OutboxEntry): Promise<void>
  /** Forgets an event that has not happened, and will not. */
  withdraw(entry: OutboxEntry): Promise<void>
  /** Finds out whether events have happened after a record could perhaps not be changed. */
  doubt(uploadId: string, facts: readonly Fact[]): void
  /** Delivers an event that has happened. */
  happened(uploadId: string, eventId: string, request: IncomingMessage | undefined): void
  /** Returns whether all earlier events of an upload have been delivered, by any process. */
  caughtUp(uploadId: string): Promise<boolean>
  /** Starts no more deliveries. Resolves when those in progress have ended. */
  stop(): Promise<void>
}
