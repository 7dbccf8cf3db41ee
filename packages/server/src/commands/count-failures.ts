import type { Logger } from 'tuskit'

/** Returns a logger that also counts errors, which do not end a command. */
export function countFailures(logger: Logger): Logger & { readonly failures: number } {
  let failures = 0
  return {
    ...logger,
    error(message, fields) {
      failures++
      logger.error(message, fields)
    },
    get failures() {
      return failures
    },
  }
}
