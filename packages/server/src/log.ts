import type { Logger } from 'tuskit'
import { pino, stdSerializers, stdTimeFunctions, type DestinationStream } from 'pino'
import pretty from 'pino-pretty'
import type { Settings } from './settings/settings.js'

/**
 * Returns a logger that writes to standard error, so that commands can print results to standard
 * output.
 */
export function createLogger({
  logLevel,
  logFormat,
}: Pick<Settings, 'logLevel' | 'logFormat'>): Logger {
  const format = logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json')
  const stream: DestinationStream =
    format === 'pretty'
      ? pretty({ destination: 2, ignore: 'pid,hostname', singleLine: true, sync: true })
      : pino.destination({ dest: 2, sync: true })
  const log = pino(
    {
      level: logLevel,
      serializers: { error: stdSerializers.err },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: stdTimeFunctions.isoTime,
    },
    stream,
  )
  return {
    error: (message, fields) => log.error(fields, message),
    warn: (message, fields) => log.warn(fields, message),
    info: (message, fields) => log.info(fields, message),
    debug: (message, fields) => log.debug(fields, message),
  }
}
