import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { ByteRange } from './capabilities/content-reader.js'
import type { DataStore } from './capabilities/data-store.js'
import type { Locker } from './capabilities/locker.js'
import { featuresOf } from './features.js'
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
import { defaultLogger, forgiving } from './logger.js'
import { MemoryLocker } from './memory-store/memory-locker.js'
import { neverAborts } from './never-aborts.js'
import { handleRequest } from './protocols/handle-request.js'
import { withOwnHeaders } from './protocols/own-headers.js'
import { checkHandlerOptions, checkStores, engineSettings } from './settings.js'
import { boundedStores } from './uploads/stores/bounded-stores.js'
import type { Upload } from './upload.js'
import { detach } from './uploads/detach.js'
import type { Engine } from './uploads/engine.js'
import { EventQueue } from './uploads/hooks/event-queue.js'
import { noExchange } from './uploads/exchange.js'
import type { Holder } from './uploads/lock/holder.js'
import { finishPending, removeExpired } from './uploads/expire.js'
import { inspect, type Inspection } from './uploads/inspect.js'
import { list, type ListedUpload, type ListUploadsOptions } from './uploads/list.js'
import { openContent, type Content } from './uploads/read.js'
import { shutdown } from './uploads/shutdown.js'
import { terminate } from './uploads/terminate.js'
import { TimeLimit } from './uploads/stores/time-limit.js'

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
  /** The uploads, for the application's own code. */
  readonly uploads: Uploads
  /**
   * Ends the requests that send data, stores what arrived, and refuses new requests except HEAD
   * with 503. Resolves when all work is done, or after `timeout` milliseconds (10,000 by default).
   */
  shutdown(options?: { readonly timeout?: number }): Promise<void>
}

/** Operations on uploads for the application's own code. They do not run the `access` hook. */
export interface Uploads {
  /**
   * Returns the record and the offset of an upload. Throws `ERR_UPLOAD_NOT_FOUND`,
   * `ERR_UPLOAD_GONE`, or the verdict on a rejected upload.
   */
  inspect(id: string): Promise<Inspection>
  /**
   * Returns the bytes of a finished upload, or where to get them. Without a range, returns all of
   * them. Throws as {@link Uploads.inspect} does, and `ERR_UPLOAD_NOT_FINISHED`.
   */
  read(
    id: string,
    options?: { readonly range?: ByteRange; readonly signal?: AbortSignal },
  ): Promise<Content>
  /**
   * Removes an upload, finished or not, and runs the terminate hooks. Throws
   * `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, `ERR_UPLOAD_REFERENCED`, or the rejection of the
   * hook.
   */
  terminate(id: string): Promise<void>
  /**
   * Hands a finished upload over to the application: deletes its record, leaves its data in place,
   * and returns the record, whose `storage.at` names that place. No hook runs. From then on,
   * requests for the upload get 404, and the handler never reads, counts or removes its data.
   *
   * With a `preFinish` or `postFinish` hook, you may detach an upload after you have moved its
   * data. Otherwise detach it first, because only the data shows that it is finished. You may call
   * this in `postFinish`, but not in hooks that run under the lock.
   *
   * Throws `ERR_UPLOAD_NOT_FINISHED`, `ERR_UPLOAD_REFERENCED` while a concatenation needs it,
   * `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, or the verdict on a rejected upload.
   */
  detach(id: string): Promise<Upload>
  /**
   * Lists uploads in the order of their ids, including those that cannot be read, with what is
   * known about each. Reads a few at a time, so stop iterating when you have enough. The next page
   * begins `after` the last id. Changes nothing and takes no locks.
   *
   * Throws `ERR_NOT_SUPPORTED` if the info store has no InfoLister, and a `TypeError` for a wrong
   * option.
   *
   * @example
   * for await (const { id } of handler.uploads.list({ state: 'open' })) console.log(id)
   */
  list(options?: ListUploadsOptions): AsyncIterable<ListedUpload>
  /**
   * Removes expired uploads, and completes removals that a crash cut off. Removes finished uploads
   * only with the option `expiration.finishedAfter`, and never an upload that is being written.
   * Returns the number of removed uploads.
   */
  removeExpired(options?: { readonly signal?: AbortSignal }): Promise<number>
  /**
   * Finishes uploads whose bytes are all stored but that, because of a crash, are not recorded as
   * finished. Call it when a server starts. Needs an info store with an InfoLister. Returns the
   * number of finished uploads.
   */
  finishPending(options?: { readonly signal?: AbortSignal }): Promise<number>
}

/** The CORS settings of handlers, for responses that {@link createUploadServer} sends itself. */
export const corsOfHandlers = new WeakMap<Handler, Cors>()

/**
 * Creates a handler: a plain `(req, res)` listener for resumable uploads under `basePath`.
 *
 * Throws a `TypeError` if an option is unknown, has the wrong form or contradicts another, or if
 * the composer has no DataStore or InfoStore.
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

  const sweeper = startSweeper(engine, options.expiration?.sweepEvery)
  const handler = Object.assign(tuskitHandler, {
    uploads: createUploads(engine),
    async shutdown({ timeout = 10_000 } = {}) {
      clearInterval(sweeper)
      stopping.abort()
      await shutdown(engine, timeout)
    },
  })
  if (cors !== undefined) corsOfHandlers.set(handler, cors)
  return handler
}

/** Default lockers. Handlers that share a store must share its locks. */
const defaultLockers = new WeakMap<DataStore, Locker>()

function defaultLocker(dataStore: DataStore): Locker {
  const locker = defaultLockers.get(dataStore) ?? new MemoryLocker()
  defaultLockers.set(dataStore, locker)
  return locker
}

function createEngine(options: HandlerOptions): Engine {
  const slots = options.composer.slots()
  const stores = checkStores(slots, options)
  const hookLimit = new TimeLimit(options.hookTimeout ?? 30_000)
  const settings = engineSettings(options, stores, hookLimit)
  const log = forgiving(options.logger ?? defaultLogger)
  const holders = new Map<string, Holder>()
  const locker = slots.locker ?? defaultLocker(stores.dataStore)
  const bounds = {
    storeTimeout: settings.storeTimeout,
    log,
    onHang: (id: string, work: Promise<unknown>) => holders.get(id)?.hang(work),
  }
  return {
    stores: boundedStores({ ...stores, locker }, bounds),
    features: featuresOf(slots, options.expiration?.after !== undefined, options.disable ?? []),
    hooks: options.hooks ?? {},
    log,
    settings,
    holders,
    sharesLocks: slots.locker !== undefined,
    events: new EventQueue(),
    hookLimit,
    preFinishLimit: new TimeLimit(options.preFinishTimeout ?? Infinity),
    background: new Set(),
    stopping: false,
  }
}

function createUploads(engine: Engine): Uploads {
  return Object.freeze({
    inspect: (id) => inspect(engine, id, noExchange),
    async read(id, { range, signal = neverAborts } = {}) {
      return (await openContent(engine, id, noExchange)).read(range, signal)
    },
    terminate: (id) => terminate(engine, id, noExchange),
    detach: (id) => detach(engine, id),
    list: (options = {}) => list(engine, options),
    removeExpired: ({ signal = neverAborts } = {}) => removeExpired(engine, signal),
    finishPending: ({ signal = neverAborts } = {}) => finishPending(engine, signal),
  } satisfies Uploads)
}

function startSweeper(engine: Engine, interval: number | undefined): NodeJS.Timeout | undefined {
  if (interval === undefined) return undefined
  let running = false
  const sweep = async () => {
    if (running) return
    running = true
    try {
      await removeExpired(engine, neverAborts)
    } catch (error) {
      engine.log.error('The sweep failed', { error })
    } finally {
      running = false
    }
  }
  return setInterval(() => void sweep(), interval).unref()
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
