import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2Session, ServerHttp2Stream } from 'node:http2'

// Error codes of RFC 9113 section 7. Node's constants would load `node:http2` for every user.
export const noError = 0x0
export const internalError = 0x2
export const cancel = 0x8

/**
 * Returns the stream behind a request of Node's HTTP/2 compatibility API; `undefined` over HTTP/1.
 *
 * The API itself cannot say how a body ended. When the client resets the stream, bytes that the
 * stream has read and the request has not are lost, and the request still counts as `complete`.
 */
export function http2StreamOf(
  request: IncomingMessage | Http2ServerRequest,
): ServerHttp2Stream | undefined {
  return request.httpVersionMajor < 2 ? undefined : (request as Http2ServerRequest).stream
}

/** Milliseconds to wait for a late frame when no PING can be sent. */
const moment = 50

/**
 * Waits until everything that the client of a stream has sent so far has arrived, or the session is
 * over. This works because frames arrive in order, and the acknowledgement of a PING comes after
 * them. Never rejects, and never resolves if the stream is gone first.
 */
export function roundTrip(stream: ServerHttp2Stream): Promise<void> {
  const session: Http2Session | undefined = stream.session
  return new Promise((resolve) => {
    const ping = () => {
      if (session === undefined || session.destroyed) return resolve()
      if (stream.destroyed) return
      // Node sends no PING once either side has sent GOAWAY.
      if (session.closed) return void setTimeout(resolve, moment)
      session.ping((error) => {
        // Node's client sends a pending reset right behind the acknowledgement.
        if (error === null) setImmediate(resolve)
        // Node's limit of outstanding PINGs is reached: retry.
        else setTimeout(ping, moment)
      })
    }
    ping()
  })
}
