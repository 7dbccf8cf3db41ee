import type { IncomingMessage } from 'node:http'

/**
 * The request behind an operation, as far as operations know it: for hooks, and for the end of its
 * response.
 */
export interface Exchange {
  /** Absent when the application or the sweeper acts. */
  readonly request: IncomingMessage | undefined
  /** Resolves when the response is sent or cannot be sent any more. Never rejects. */
  readonly responded: Promise<void>
}

/** The exchange of operations without a request. */
export const noExchange: Exchange = { request: undefined, responded: Promise.resolve() }
