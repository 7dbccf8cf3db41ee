import type { IncomingMessage } from 'node:http'

const warned = new WeakSet<object>()

/** Tells the operator, once a server, that Node will cut uploads that take longer than the server's `requestTimeout`. */
export function warnOfRequestTimeout({ socket, httpVersionMajor }: IncomingMessage): void {
  // It is for the requests of HTTP/1 only, of which a server for HTTP/2 can take some.
  if (httpVersionMajor >= 2) return
  const { server } = socket as { server?: { readonly requestTimeout?: number } }
  if (server?.requestTimeout === undefined || server.requestTimeout === 0 || warned.has(server))
    return
  warned.add(server)
  process.emitWarning(
    `The HTTP server cuts every request after ${server.requestTimeout} ms, long uploads too. ` +
      'Set server.requestTimeout = 0, or make the server with createUploadServer() of tuskit.',
    { code: 'TUSKIT_REQUEST_TIMEOUT' },
  )
}
