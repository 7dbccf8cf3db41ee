import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2Session, ServerHttp2Stream } from 'node:http2'

// Error codes of RFC 9113 section 7. Node's own constants would cost every user the time to load node:http2.
export const noError = 0x0
export const internalError = 0x2
export const cancel = 0x8

/**
 * The stream behind a request of Node's HTTP/2 compatibility API; `undefined` over HTTP/1. The API itself is too coarse
 * to judge a body by: what the stream has read and the request has not is lost when the client resets it, and a reset
 * request is `complete`.
 */
export function http2StreamOf(
  request: IncomingMessage | Http2ServerRequest,
): ServerHttp2Stream | undefined {
  return request.httpVersionMajor < 2 ? undefined : (request as Http2ServerRequest).stream
}

/** Milliseconds for what a client sends a moment later, when nobody can ask. */
const moment = 50

/**
 * Resolves when everything that the client of a stream had sent by now has come in, or the session is over: frames come
 * in order, and a PING is answered behind them. Never rejects, and never resolves when the stream is gone before.
 */
export function roundTrip(stream: ServerHttp2Stream): Promise<void> {
  const session: Http2Session | undefined = stream.session
  return new Promise((resolve) => {
    const ping = () => {
      if (session === undefined || session.destroyed) return resolve()
      if (stream.destroyed) return
      // Node sends no PING when either side has said goodbye.
      if (session.closed) return void setTimeout(resolve, moment)
      session.ping((error) => {
        // Node's client sends a reset that waits together with the answer, right behind it.
        if (error === null) setImmediate(resolve)
        // As many as Node allows are on their way.
        else setTimeout(ping, moment)
      })
    }
    ping()
  })
}
