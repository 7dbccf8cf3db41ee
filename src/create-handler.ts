import diagnostics from 'node:diagnostics_channel'
import { setMaxListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createEngine } from './create-engine.js'
import { createUploads, type Uploads } from './create-uploads.js'
import { TusError } from './errors.js'
import type { HandlerOptions } from './handler-options.js'
import { BufferBudget } from './http/buffer-budget.js'
import { createCors, type Cors } from './http/cors.js'
import { errorResponse } from './http/error-response.js'
import { HttpExchange } from './http/http-exchange.js'
import { wrongMessages } from './http/wrong-messages.js'
import { createLocations } from './http/location.js'
import { warnOfRequestTimeout } from './http/request-timeout.js'
import { respond, type HttpResponse } from './http/respond.js'
import { normalizeBasePath, route, targetOf, type Route } from './http/route.js'
import { handleRequest } from './protocols/handle-request.js'
import { withOwnHeaders } from './protocols/own-headers.js'
import { checkHandlerOptions } from './settings.js'
import { stopOptions, type StopOptions } from './stop-options.js'
import type { Engine } from './uploads/engine.js'
import { removeExpired } from './uploads/expire.js'
import { close, shutdown } from './uploads/shutdown.js'

/**
 * A listener for the servers of `node:http`, `node:https` and `node:http2`, and middleware for
 * frameworks on top of them.
 */
export interface Handler {
  /** Over HTTP/2: a listener for `http2.createSecureServer` and `http2.createServer`. */
  (
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    next?: (error?: unknown) => void,
  ): Promise<void>
  /**
   * Resolves when the response is done. Never rejects. A request outside `basePath` goes to `next`,
   * or gets 404 if there is no `next`.
   *
   * If the arguments are not Node's request and response, but for example a web `Request`, passes a
   * `TypeError` to `next`, or throws it if there is no `next`.
   */
  (
    request: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): Promise<void>
  /** The uploads, for the application's own code. Until the handler is closed. */
  readonly uploads: Uploads
  /**
   * Opens the stores now, instead of at the first request that needs them. Call it before the
   * server listens, to find out whether their configuration works. Does nothing if none of them
   * fills the slot `lifecycles`, or all are open.
   *
   * Rejects with the error of a store, with `ERR_STORAGE_UNAVAILABLE` after
   * {@link HandlerOptions.storeTimeout}, and with `ERR_SERVER_SHUTDOWN` when the handler is closed.
   * After a failure, call it again, or let the next request try again.
   */
  open(): Promise<void>
  /**
   * Ends the requests that send data, stores what arrived, and refuses new requests except HEAD
   * with 503. Resolves when all work is done, or after `timeout` milliseconds (10,000 by default).
   * Rejects with a `TypeError` for a wrong option, and then changes nothing.
   *
   * Closes no store, because HEAD and {@link Handler.uploads} still need them. When the process
   * ends, call {@link Handler.close} instead.
   */
  shutdown(options?: StopOptions): Promise<void>
  /**
   * Shuts down as {@link Handler.shutdown} does, waits for downloads that read from a store, and
   * closes the stores that no other handler uses. From then on, every request and every method of
   * {@link Handler.uploads} is refused with `ERR_SERVER_SHUTDOWN`. `server.stop` of
   * {@link createUploadServer} calls it for you.
   *
   * Resolves when everything is closed, or after `timeout` milliseconds (10,000 by default), plus
   * up to one second to close the stores. A store that fails to close is logged. Rejects with a
   * `TypeError` for a wrong option, and then changes nothing. A second call waits for the first.
   */
  close(options?: StopOptions): Promise<void>
}

const errorChannel = diagnostics.channel('tuskit:error')

/** The CORS settings of handlers, for responses that {@link createUploadServer} sends itself. */
export const corsOfHandlers = new WeakMap<Handler, Cors>()

/**
 * Creates a handler: a plain `(req, res)` listener for resumable uploads under `basePath`.
 *
 * Throws a `TypeError` if an option is unknown, has the wrong form or contradicts another, or if
 * the composer has no DataStore or InfoStore, or an object that has been closed.
 *
 * @example
 * http.createServer(createHandler({ basePath: '/files', composer })).listen(1080)
 */
export function createHandler(given: HandlerOptions): Handler {
  const options = checkHandlerOptions(given)
  const basePath = normalizeBasePath(options.basePath)
  const cors = createCors(options.cors)
  const engine = createEngine(options)
  const stopping = new AbortController()
  // Each connection that is drained listens to it.
  setMaxListeners(0, stopping.signal)
  const locations = createLocations(
    basePath,
    options.location ?? 'relative',
    options.trustProxy ?? false,
  )
  const { perUpload = 1_048_576, total = 2_097_152 } = options.bodyBuffer ?? {}
  const exchangeOptions = {
    overridesMethod: engine.features.has('method-override'),
    budget: new BufferBudget(perUpload, total),
    idleTimeout: engine.settings.idleTimeout,
  }
  const context = {
    engine,
    locations,
    interimResponses: options.interimResponses ?? false,
    checksumMetadata: options.checksumMetadata,
    download: options.download,
  }

  function tuskitHandler(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next?: (error?: unknown) => void,
  ): Promise<void> {
    const mistake = wrongMessages(request, response)
    if (mistake === undefined) return handle(request, response, next)
    if (typeof next !== 'function') throw mistake
    next(mistake)
    return Promise.resolve()
  }

  async function handle(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next?: (error?: unknown) => void,
  ): Promise<void> {
    const found = route(targetOf(request as IncomingMessage), basePath)
    if (found === undefined && next !== undefined) return next()
    const exchange = new HttpExchange(request, response, exchangeOptions)
    warnOfRequestTimeout(exchange.request)
    const responding = responseTo(exchange, found)
    engine.background.add(responding)
    const httpResponse = await responding
    engine.background.delete(responding)
    if (engine.stopping && !response.headersSent) exchange.endConnection()
    if (httpResponse.code !== undefined && errorChannel.hasSubscribers) {
      const { code, status } = httpResponse
      const uploadId = found?.kind === 'upload' ? found.id : undefined
      errorChannel.publish({ request, response, method: exchange.method, uploadId, code, status })
    }
    await respond(exchange, httpResponse, engine.log, stopping.signal)
  }

  async function responseTo(exchange: HttpExchange, found: Route): Promise<HttpResponse> {
    try {
      if (exchange.turn !== undefined) await exchange.turn
      applyCors(cors, exchange)
      return await handleRequest(context, exchange, found, engine.stopping)
    } catch (error) {
      // Thrown by the application's function for origins, or because middleware has already
      // responded.
      return withOwnHeaders(errorResponse(error, exchange, engine.log), {})
    }
  }

  const sweeper = startSweeper(engine, options.expiration?.sweepEvery, stopping.signal)
  const stop = () => {
    clearInterval(sweeper)
    stopping.abort()
  }
  let closing: Promise<void> | undefined
  const handler = Object.assign(tuskitHandler, {
    uploads: createUploads(engine),
    async open() {
      if (engine.closed) throw new TusError('ERR_SERVER_SHUTDOWN')
      await engine.stores.open()
    },
    async shutdown(options?: StopOptions) {
      const { timeout } = stopOptions('handler.shutdown', options)
      stop()
      await shutdown(engine, timeout)
    },
    async close(options?: StopOptions) {
      const { timeout } = stopOptions('handler.close', options)
      stop()
      await (closing ??= close(engine, timeout))
    },
  })
  engine.lifecycles.use()
  if (cors !== undefined) corsOfHandlers.set(handler, cors)
  return handler
}

function startSweeper(
  engine: Engine,
  interval: number | undefined,
  stopping: AbortSignal,
): NodeJS.Timeout | undefined {
  if (interval === undefined) return undefined
  let sweeping: Promise<void> | undefined
  const sweep = async () => {
    try {
      await removeExpired(engine, stopping)
    } catch (error) {
      if (!stopping.aborted) engine.log.error('The sweep failed', { error })
    }
    engine.background.delete(sweeping!)
    sweeping = undefined
  }
  const tick = () => {
    if (sweeping === undefined) engine.background.add((sweeping = sweep()))
  }
  return setInterval(tick, interval).unref()
}

function applyCors(cors: Cors | undefined, { request, response, method }: HttpExchange): void {
  if (cors === undefined || response.headersSent) return
  const { origin } = request.headers
  const requested = request.headers['access-control-request-headers']
  const headers = method === 'OPTIONS' ? cors.preflight(origin, requested) : cors.headers(origin)
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'vary') response.appendHeader(name, value)
    else response.setHeader(name, value)
  }
}
