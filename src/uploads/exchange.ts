import type { IncomingMessage } from 'node:http'

/**
 * The parts of a request that operations know: hooks receive the request, and some work waits for
 * the end of the response.
 */
export interface Exchange {
  /** Absent when the application or the sweeper acts. */
  readonly request: IncomingMessage | undefined
  /** Resolves when the response is sent or cannot be sent any more. Never rejects. */
  readonly responded: Promise<void>
}

/** The exchange of operations without a request. */
export const noExchange: Exchange = { request: undefined, responded: Promise.resolve() }
