import { TusError } from '../../errors.js'
import { errorResponse, isFailure, retryAfter } from '../../http/error-response.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import type { Route } from '../../http/route.js'
import { handleGet } from '../download/get.js'
import { withOwnHeaders } from '../own-headers.js'
import type { ProtocolContext } from '../context.js'
import { header } from '../context.js'
import { handleDelete } from './delete.js'
import { handleHead } from './head.js'
import { handleHeadByGet } from './head-by-get.js'
import { describeServer } from '../describe-server.js'
import { handlePatch } from './patch.js'
import { handlePost } from './post.js'

const version = '1.0.0'
const own = { 'tus-resumable': version }

/**
 * The answer of tus 1.0.0 to a request; also when there is an error. `stopping`: nothing but HEAD is served any more.
 * What the protocol says in headers, no hook can say otherwise.
 */
export async function handleTus(
  context: ProtocolContext,
  exchange: HttpExchange,
  route: Route,
  stopping: boolean,
): Promise<HttpResponse> {
  try {
    return withOwnHeaders(await dispatch(context, exchange, route, stopping), own)
  } catch (error) {
    return tusErrorResponse(context, exchange, error)
  }
}

/** The answer of tus 1.0.0 to an error. */
export function tusErrorResponse(
  { engine }: ProtocolContext,
  exchange: HttpExchange,
  error: unknown,
): HttpResponse {
  const httpResponse = errorResponse(error, exchange, engine.log)
  const locked = asksForState(exchange) && isFailure(error)
  return withOwnHeaders(locked ? asLocked(httpResponse) : httpResponse, own)
}

/**
 * tus-js-client takes every status of a HEAD response but 2xx and 423 for the end of the upload and starts over from byte
 * 0. So a failure, which says nothing about the upload, becomes 423.
 */
function asLocked(httpResponse: HttpResponse): HttpResponse {
  return {
    ...httpResponse,
    status: 423,
    headers: { 'retry-after': retryAfter, ...httpResponse.headers },
  }
}

/** HEAD, or the GET that a cache made of it. */
function asksForState({ method, request }: HttpExchange): boolean {
  return method === 'HEAD' || (method === 'GET' && request.headers['tus-resumable'] !== undefined)
}

async function dispatch(
  context: ProtocolContext,
  exchange: HttpExchange,
  route: Route,
  stopping: boolean,
): Promise<HttpResponse> {
  // HEAD brings no data, and a client that learns its offset can wait for the server to come back.
  if (stopping && exchange.method !== 'HEAD') throw new TusError('ERR_SERVER_SHUTDOWN')
  if (route === undefined) throw new TusError('ERR_NOT_FOUND')
  if (exchange.method === 'OPTIONS') return describeServer(context, exchange, route)
  if (route.kind === 'unknown') throw new TusError('ERR_NOT_FOUND')
  checkVersion(exchange)
  const allowed = methodsOf(context, route, asksForState(exchange))
  if (!allowed.includes(exchange.method)) {
    throw new TusError('ERR_METHOD_NOT_ALLOWED', { headers: { allow: allowed.join(', ') } })
  }
  if (route.kind === 'creation') return handlePost(context, exchange)
  switch (exchange.method) {
    case 'HEAD':
      return handleHead(context, exchange, route.id)
    case 'PATCH':
      return handlePatch(context, exchange, route.id)
    case 'DELETE':
      return handleDelete(context, exchange, route.id)
    default:
      return asksForState(exchange)
        ? handleHeadByGet(context, exchange, route.id)
        : handleGet(context, exchange, route.id)
  }
}

/** HEAD and GET change nothing, so they are served without the header; not with a wrong one. */
function checkVersion({ method, request }: HttpExchange): void {
  const given = header(request.headers, 'tus-resumable')
  if (given === version) return
  if (given === undefined && (method === 'HEAD' || method === 'GET')) return
  throw new TusError('ERR_UNSUPPORTED_VERSION', { headers: { 'tus-version': version } })
}

function methodsOf(
  { engine }: ProtocolContext,
  route: NonNullable<Route>,
  asksForState: boolean,
): string[] {
  const { features } = engine
  if (route.kind === 'creation') return features.has('creation') ? ['POST', 'OPTIONS'] : ['OPTIONS']
  return [
    'HEAD',
    'PATCH',
    ...(features.has('download') || asksForState ? ['GET'] : []),
    ...(features.has('termination') ? ['DELETE'] : []),
    'OPTIONS',
  ]
}
