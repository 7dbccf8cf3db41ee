import http, { type RequestListener, type Server, type ServerOptions } from 'node:http'
import { corsOfHandlers, type Handler } from './create-handler.js'
import { optionError } from './check-options.js'
import { respondToClientErrors } from './http/client-error.js'
import { stopOptions, type StopOptions } from './stop-options.js'

/** Options of {@link createUploadServer}, in addition to those of Node's `http.createServer`. */
export interface UploadServerOptions extends ServerOptions {
  /**
   * The handler to close with the server, if the listener is an application that it is mounted
   * in.
   * @default the listener, if it is a handler
   */
  readonly handler?: Handler
}

/** An HTTP server that can stop without losing received bytes. */
export interface UploadServer extends Server {
  /**
   * Stops accepting connections, ends the requests that send data, stores and responds to what
   * arrived, and closes the server and the handler, which closes the stores that no other handler
   * uses. Resolves when all is closed. Connections that are still open after `timeout` milliseconds
   * (10,000 by default) are closed then, and the stores get up to one more second. Rejects with a
   * `TypeError` for a wrong option, and then changes nothing.
   */
  stop(options?: StopOptions): Promise<void>
}

/**
 * Creates an `http.Server` with the settings that long uploads need. Your options override them:
 * - no limit on the duration of a request, because the handler's `idleTimeout` does that job
 * - headers of up to 64 KiB, for concatenations
 * - idle connections kept for 65 seconds
 *
 * The server responds to `Expect: 100-continue` only if it is going to accept the request. Headers
 * that are too large get 431 `ERR_HEADERS_TOO_LARGE`, with CORS headers if the origin is known,
 * unless the application has a `clientError` listener.
 *
 * Throws a `TypeError` if the listener or the handler is not one.
 */
export function createUploadServer(
  listener: Handler | RequestListener,
  { handler, ...options }: UploadServerOptions = {},
): UploadServer {
  if (typeof listener !== 'function') {
    const server = { name: 'createUploadServer', noun: 'argument' }
    throw optionError(server, 'listener', { expectation: 'a handler or a function' }, listener)
  }
  if (handler !== undefined && typeof handler.close !== 'function') {
    throw optionError('createUploadServer', 'handler', { expectation: 'a handler' }, handler)
  }
  // Node refuses a longer time for the headers than for the whole request.
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
  const isHandler = 'shutdown' in listener && 'close' in listener
  const owner = handler ?? (isHandler ? listener : undefined)
  respondToClientErrors(server, owner && corsOfHandlers.get(owner))

  async function stop(options?: StopOptions): Promise<void> {
    const { timeout } = stopOptions('server.stop', options)
    const deadline = performance.now() + timeout
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    let timer: NodeJS.Timeout | undefined
    const cut = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        server.closeAllConnections()
        resolve()
      }, timeout)
    })
    await owner?.shutdown({ timeout })
    server.closeIdleConnections()
    await Promise.race([closed, cut])
    clearTimeout(timer)
    // Until now, open connections could ask for offsets and download.
    await owner?.close({ timeout: Math.max(0, deadline - performance.now()) })
    await closed
  }
  return Object.assign(server, { stop })
}
