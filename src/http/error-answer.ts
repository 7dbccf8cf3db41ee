import { isTusError, TusError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { HttpExchange } from './http-exchange.js'
import type { Answer } from './respond.js'

/** Seconds after which a client may try again. */
const retryAfter = '1'

/**
 * The answer to an error. A {@link TusError} is told as it is; anything else stays in the log, and the client gets a
 * fixed text with the id of the request.
 */
export function errorAnswer(error: unknown, exchange: HttpExchange, log: Logger): Answer {
  const known = isTusError(error) ? error : new TusError('ERR_INTERNAL', { cause: error })
  if (known.status >= 500 && known.response === undefined) {
    const { requestId } = exchange
    const fields = {
      requestId,
      code: known.code,
      method: exchange.method,
      error: known.cause ?? known,
    }
    if (known.status === 503) log.info(known.message, fields)
    else log.error(known.message, fields)
  }
  if (known.response !== undefined) {
    return { status: known.status, headers: known.headers, body: known.response.body }
  }
  const request = known.status === 500 ? ` (request ${exchange.requestId})` : ''
  return {
    status: known.status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      ...(known.status === 503 && { 'retry-after': retryAfter }),
      // Who stays on the line would wait for the rest of the body for long.
      ...(known.code === 'ERR_BODY_STALLED' && { connection: 'close' }),
      ...(known.offset !== undefined && { 'upload-offset': String(known.offset) }),
      ...known.headers,
    },
    body: `${known.code}: ${known.message}${request}\n`,
  }
}
