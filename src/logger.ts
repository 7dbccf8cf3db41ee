import type { OptionRule } from './check-options.js'

/**
 * Takes the handler's messages: anything like `console`. `fields` holds what goes with the message, such as
 * `uploadId`, `requestId` and `error`.
 */
export interface Logger {
  error(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
  info(message: string, fields: Readonly<Record<string, unknown>>): void
  debug(message: string, fields: Readonly<Record<string, unknown>>): void
}

/** Errors and warnings go to the console, the rest nowhere. */
export const defaultLogger: Logger = {
  error: (message, fields) => console.error(message, fields),
  warn: (message, fields) => console.warn(message, fields),
  info: () => {},
  debug: () => {},
}

/** The same logger, except that what it throws harms nobody: a message is not worth a request. */
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

/** What an option for a logger must be. */
export const beLogger: OptionRule = {
  expectation: 'an object with the functions error, warn, info and debug',
  accepts: (v) =>
    ['error', 'warn', 'info', 'debug'].every(
      (name) => typeof (v as Record<string, unknown> | null)?.[name] === 'function',
    ),
}
