import type { OptionRule } from './check-options.js'

/**
 * Receives the handler's messages. Anything like `console` will do. `fields` has details of the
 * message, such as `uploadId`, `requestId` and `error`.
 */
export interface Logger {
  error(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
  info(message: string, fields: Readonly<Record<string, unknown>>): void
  debug(message: string, fields: Readonly<Record<string, unknown>>): void
}

/** A logger that writes errors and warnings to the console, and drops the rest. */
export const defaultLogger: Logger = {
  error: (message, fields) => console.error(message, fields),
  warn: (message, fields) => console.warn(message, fields),
  info: () => {},
  debug: () => {},
}

/** Wraps a logger so that an exception it throws never fails a request. */
export function forgiving(logger: Logger): Logger {
  const at =
    (level: keyof Logger): Logger[typeof level] =>
    (message, fields) => {
      try {
        logger[level](message, fields)
      } catch (error) {
        process.emitWarning(`The logger failed: ${String(error)}`, { code: 'TUSKIT_LOGGER' })
      }
    }
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** The rule for options that take a logger. */
export const beLogger: OptionRule = {
  expectation: 'an object with the functions error, warn, info and debug',
  accepts: (v) =>
    ['error', 'warn', 'info', 'debug'].every(
      (name) => typeof (v as Record<string, unknown> | null)?.[name] === 'function',
    ),
}
