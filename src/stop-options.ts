import { checkOptions, must } from './check-options.js'

/** Options of `server.stop`, `handler.shutdown` and `handler.close`. */
export interface StopOptions {
  /**
   * How long to wait for requests and work, in milliseconds.
   * @default 10_000
   */
  readonly timeout?: number
}

/**
 * Returns the options with their defaults. Arguments that are not objects are ignored, so that
 * `process.once('SIGTERM', server.stop)`, which passes the name of the signal, stops the server.
 */
export function stopOptions(owner: string, given: unknown = {}): Required<StopOptions> {
  const options = typeof given === 'object' ? (given as StopOptions) : {}
  const { timeout = 10_000 } = checkOptions<StopOptions>(owner, options, {
    timeout: must.beTimeout,
  })
  return { timeout }
}
