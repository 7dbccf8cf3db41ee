import http, { type RequestListener, type Server, type ServerOptions } from 'node:http'
import { corsOfHandlers, type Handler } from './create-handler.js'
import { optionError } from './check-options.js'
import { respondToClientErrors } from './http/client-error.js'

/** Options of {@link createUploadServer}: those of Node's `http.createServer`, and these. */
export interface UploadServerOptions extends ServerOptions {
  /** The handler to shut down with the server, when the listener is an application that it is mounted in. */
  readonly handler?: Handler
}

/** An HTTP server that can be stopped without losing what it received. */
export interface UploadServer extends Server {
  /**
   * Stops accepting, ends the requests that bring data, stores and answers what came, and closes. Resolves when the
   * server is closed; connections that are open after `timeout` milliseconds (default 10,000) are cut.
   */
  stop(options?: { readonly timeout?: number }): Promise<void>
}

/**
 * An `http.Server` with the settings that long uploads need: no limit on the duration of a request (the handler's
 * `idleTimeout` takes its place), room for the long headers of concatenations (64 KiB), connections kept for 65
 * seconds, and `Expect: 100-continue` answered only when the request is going to be accepted. Options given replace
 * these.
 *
 * Headers that are too large are answered 431 `ERR_HEADERS_TOO_LARGE`, with the headers of CORS where they can be known,
 * unless the application has a `clientError` listener.
 */
export function createUploadServer(
  listener: Handler | RequestListener,
  { handler, ...options }: UploadServerOptions = {},
): UploadServer {
  if (typeof listener !== 'function') {
    const server = { name: 'createUploadServer', noun: 'argument' }
    throw optionError(server, 'listener', { expectation: 'a handler or a function' }, listener)
  }
  if (handler !== undefined && typeof handler.shutdown !== 'function') {
    throw optionError('createUploadServer', 'handler', { expectation: 'a handler' }, handler)
  }
  // Node refuses a time for the headers that is longer than the one for the whole request.
  const headersTimeout = Math.min(60_000, options.requestTimeout || Infinity)
  const server = http.createServer(
    {
      requestTimeout: 0,
      headersTimeout,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 65_536,
      ...options,
    },
    listener as RequestListener,
  )
  server.on('checkContinue', listener as RequestListener)
  const owner = handler ?? ('shutdown' in listener ? listener : undefined)
  respondToClientErrors(server, owner && corsOfHandlers.get(owner))

  async function stop({ timeout = 10_000 } = {}): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    const cut = setTimeout(() => server.closeAllConnections(), timeout)
    await owner?.shutdown({ timeout })
    server.closeIdleConnections()
    await closed
    clearTimeout(cut)
  }
  return Object.assign(server, { stop })
}
