import type { IncomingMessage } from 'node:http'

const warned = new WeakSet<object>()

/**
 * Warns, once per server, that Node cuts uploads that take longer than the server's
 * `requestTimeout`.
 */
export function warnOfRequestTimeout({ socket, httpVersionMajor }: IncomingMessage): void {
  // The timeout applies to HTTP/1 only, which a server for HTTP/2 may accept too.
  if (httpVersionMajor >= 2) return
  const { server } = socket as { server?: { readonly requestTimeout?: number } }
  if (server?.requestTimeout === undefined || server.requestTimeout === 0 || warned.has(server))
    return
  warned.add(server)
  process.emitWarning(
    `The HTTP server cuts every request after ${server.requestTimeout} ms, long uploads too. ` +
      "Set server.requestTimeout = 0, or create the server with tuskit's createUploadServer().",
    { code: 'TUSKIT_REQUEST_TIMEOUT' },
  )
}
