import type { ErrorCode } from '../../error-codes.js'
import { TusError } from '../../errors.js'
import { asTusError, errorResponse } from '../../http/error-response.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import type { Route } from '../../http/route.js'
import type { Engine } from '../../uploads/engine.js'
import { inspect } from '../../uploads/inspect.js'
import { terminate } from '../../uploads/terminate.js'
import type { ProtocolContext } from '../context.js'
import { withOwnHeaders } from '../own-headers.js'
import { terminated } from '../terminated.js'
import { handleAppend } from './append.js'
import { handleCreation } from './creation.js'
import { completenessHeader, dialectOf, type Dialect } from './dialect.js'
import { problem } from './response/problem.js'
import { handleGetOrRetrieval, handleRetrieval } from './retrieval.js'
import { uploadLimit } from './response/upload-limit.js'

/**
 * Returns the IETF draft's response to a request, including errors. While `stopping`, only HEAD is
 * served, and nothing once the handler is closed.
 */
export async function handleIetf(
  context: ProtocolContext,
  exchange: HttpExchange,
  route: Route,
  stopping: boolean,
): Promise<HttpResponse> {
  const dialect = dialectOf(exchange.request.headers)
  const httpResponse = await dispatch(context, exchange, dialect, route, stopping).catch(
    (error: unknown) => refusalOf(context, exchange, dialect, route, error),
  )
  return withOwnHeaders(httpResponse, {})
}

async function dispatch(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  route: Route,
  stopping: boolean,
): Promise<HttpResponse> {
  const { method } = exchange
  if (stopping && (context.engine.closed || method !== 'HEAD')) {
    throw new TusError('ERR_SERVER_SHUTDOWN')
  }
  if (route === undefined || route.kind === 'unknown') throw new TusError('ERR_NOT_FOUND')
  const allowed = methodsOf(context, route)
  if (!allowed.includes(method)) {
    throw new TusError('ERR_METHOD_NOT_ALLOWED', { headers: { allow: allowed.join(', ') } })
  }
  if (route.kind === 'creation') return handleCreation(context, exchange, dialect)
  if (method === 'PATCH') return handleAppend(context, exchange, dialect, route.id)
  if (dialect.strictQueries) refuseAppendFields(exchange)
  if (method === 'HEAD') return handleRetrieval(context, exchange, dialect, route.id)
  if (method === 'GET') return handleGetOrRetrieval(context, exchange, dialect, route.id)
  return terminated(await terminate(context.engine, route.id, exchange))
}

function methodsOf({ engine }: ProtocolContext, { kind }: NonNullable<Route>): string[] {
  const { features } = engine
  if (kind === 'creation') {
    return features.has('creation') ? ['POST', 'PUT', 'PATCH', 'OPTIONS'] : ['OPTIONS']
  }
  const termination = features.has('termination') ? ['DELETE'] : []
  return ['HEAD', 'GET', 'PATCH', ...termination, 'OPTIONS']
}

function refuseAppendFields({ request }: HttpExchange): void {
  const names = ['upload-offset', 'upload-complete', 'upload-incomplete']
  if (names.some((name) => request.headers[name] !== undefined)) {
    throw new TusError('ERR_UNEXPECTED_FIELD')
  }
}

/** Errors of limits that the client should know (IETF draft, Limits). */
const limitErrors = new Set<ErrorCode>([
  ...(['ERR_MAX_SIZE_EXCEEDED', 'ERR_UPLOAD_TOO_SMALL'] as const),
  ...(['ERR_APPEND_TOO_LARGE', 'ERR_APPEND_TOO_SMALL'] as const),
])

/** Errors found before the upload is loaded. */
const malformed = new Set<ErrorCode>([
  ...(['ERR_INVALID_CONTENT_TYPE', 'ERR_INVALID_OFFSET', 'ERR_INVALID_COMPLETE'] as const),
  'ERR_UNEXPECTED_FIELD',
])

async function refusalOf(
  { engine }: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  route: Route,
  error: unknown,
): Promise<HttpResponse> {
  const { code, final, maxSize } = asTusError(error)
  const tellsOffset = dialect.alwaysTellsOffset && malformed.has(code) && route?.kind === 'upload'
  const offset = tellsOffset ? await offsetOf(engine, exchange, route.id) : undefined
  const httpResponse = errorResponse(error, exchange, engine.log, (known, sentence) => {
    const status = statusOf(known, dialect)
    const body = problem(known, sentence, status, exchange, dialect)
    return { status, contentType: 'application/problem+json', body }
  })
  return {
    ...httpResponse,
    headers: {
      ...httpResponse.headers,
      ...(offset !== undefined && { 'upload-offset': String(offset) }),
      ...(limitErrors.has(code) && uploadLimit(engine.settings, dialect, { maxSize })),
      // A download that asks for too much says nothing of the upload, which is complete.
      ...(code !== 'ERR_INVALID_RANGE' && completenessHeader(dialect, final)),
    },
  }
}

async function offsetOf(
  engine: Engine,
  exchange: HttpExchange,
  id: string,
): Promise<number | undefined> {
  try {
    return (await inspect(engine, id, exchange, 'ietf')).offset
  } catch {
    return undefined
  }
}

/** Where the draft has another status than tus for the same. */
function statusOf({ code, status }: TusError, { replays, goneStatus }: Dialect): number {
  if (code === 'ERR_UPLOAD_GONE') return goneStatus
  // Clients give up on 4xx, and this is over in a moment.
  if (code === 'ERR_UPLOAD_LOCKED') return 503
  if (code === 'ERR_LENGTH_EXCEEDED') return 400
  return code === 'ERR_UPLOAD_COMPLETE' && !replays ? 400 : status
}
