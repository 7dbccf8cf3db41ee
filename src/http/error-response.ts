import { errors, type ErrorCode } from '../error-codes.js'
import { isTusError, TusError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { HttpExchange } from './http-exchange.js'
import type { HttpResponse } from './respond.js'

/** Seconds after which a client may try again, for `Retry-After`. */
export const retryAfter = '1'

/** Errors with the status 503 that somebody has to see to. */
const outages = new Set<ErrorCode>(['ERR_STORAGE_UNAVAILABLE', 'ERR_HOOK_UNAVAILABLE'])

/** Formats an error for one protocol. `sentence` may be shown to the client. */
export type ErrorForm = (
  error: TusError,
  sentence: string,
) => { readonly status: number; readonly contentType: string; readonly body: string }

/** Formats an error as one line of text that begins with the code. */
const plainText: ErrorForm = ({ code, status }, sentence) => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: `${code}: ${sentence}\n`,
})

/** Wraps anything that is not a {@link TusError} in `ERR_INTERNAL`. */
export function asTusError(error: unknown): TusError {
  return isTusError(error) ? error : new TusError('ERR_INTERNAL', { cause: error })
}

/**
 * Whether an error says nothing about the upload, because the server, its storage or a hook failed.
 * A response that the application chose is never a failure, whatever its status.
 */
export function isFailure(error: unknown): boolean {
  const { response, status } = asTusError(error)
  return response === undefined && status >= 500
}

/**
 * Returns the response to an error. A {@link TusError} reaches the client unchanged. Anything else
 * goes to the log, and the client gets a fixed text with the id of the request.
 */
export function errorResponse(
  error: unknown,
  exchange: HttpExchange,
  log: Logger,
  form = plainText,
): HttpResponse {
  const known = asTusError(error)
  const { code, response } = known
  if (response !== undefined && response.code === undefined) {
    return { status: known.status, headers: known.headers, body: response.body, code }
  }
  if (known.status >= 500 || known.status === 422) logFailure(known, exchange, log)
  const { status, contentType, body } = form(known, sentenceOf(known, exchange))
  return {
    status,
    headers: {
      'content-type': contentType,
      ...((status === 423 || status === 503) && { 'retry-after': retryAfter }),
      // Otherwise Node keeps waiting for the rest of the stalled body.
      ...(code === 'ERR_BODY_STALLED' && { connection: 'close' }),
      ...(known.offset !== undefined && { 'upload-offset': String(known.offset) }),
      ...known.headers,
    },
    body,
    code,
  }
}

/**
 * Returns the sentence for the client. Messages of stores and hooks may contain paths, so the
 * statuses that only they cause get the fixed text of their code.
 */
function sentenceOf({ code, status, message }: TusError, { requestId }: HttpExchange): string {
  if (status === 422) return errors[code][1]
  return status === 500 ? `${errors[code][1]} (request ${requestId})` : message
}

function logFailure(known: TusError, exchange: HttpExchange, log: Logger): void {
  const { requestId, method } = exchange
  const fields = { requestId, code: known.code, method, error: known.cause ?? known }
  const passes = known.status === 503 && !outages.has(known.code)
  if (passes || known.status === 422) log.info(known.message, fields)
  else log.error(known.message, fields)
}
