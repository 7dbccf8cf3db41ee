import type { IncomingMessage } from 'node:http'

/** What the uploads side knows of the request behind an operation: enough for hooks, and when it was answered. */
export interface Exchange {
  /** Absent when the application or the sweeper acts. */
  readonly request: IncomingMessage | undefined
  /** Resolves when the response is sent or cannot be sent any more. Never rejects. */
  readonly responded: Promise<void>
}

/** For operations behind which there is no request. */
export const noExchange: Exchange = { request: undefined, responded: Promise.resolve() }
