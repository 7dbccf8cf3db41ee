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
 * Handles a request by tus 1.0.0, and turns an error into a response. While `stopping`, only HEAD
 * is served, and nothing once the handler is closed. Hooks cannot override the protocol's headers.
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

/** Returns the tus 1.0.0 response to an error. */
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
 * Turns a failure, which says nothing about the upload, into 423. tus-js-client takes every other
 * status of a HEAD response, except 2xx, for the end of the upload, and starts over from byte 0.
 */
function asLocked(httpResponse: HttpResponse): HttpResponse {
  return {
    ...httpResponse,
    status: 423,
    headers: { 'retry-after': retryAfter, ...httpResponse.headers },
  }
}

/** Whether a request is HEAD, or the GET that a cache made of it. */
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
  if (stopping && (context.engine.closed || exchange.method !== 'HEAD')) {
    throw new TusError('ERR_SERVER_SHUTDOWN')
  }
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

/**
 * Checks the version. HEAD and GET change nothing, so the header may be absent there, but not
 * wrong.
 */
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
