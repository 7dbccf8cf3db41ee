import http, { type ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { HttpExchange } from './http-exchange.js'

type Headers = Readonly<Record<string, string>>

/** `writeInformation` exists since Node 24.19 and 26. */
type MaybeInforming = Omit<ServerResponse, 'writeInformation'> & {
  readonly writeInformation?: (status: number, headers: Headers) => void
}

const phrases: Readonly<Record<number, string>> = { 104: 'Upload Resumption Supported' }

/**
 * Sends an interim response (1xx) before the final one. Returns whether it was sent. Never throws.
 *
 * Nothing is sent after the final head, or when a header is invalid. Nor is it sent to a client
 * that speaks HTTP/1.0 (RFC 9110 section 15.2), is gone, does not read, or waits for the response
 * to an earlier request on the same connection.
 *
 * `Expect: 100-continue` is handled as usual.
 */
export function sendInterim(exchange: HttpExchange, status: number, headers: Headers): boolean {
  const { request, response, stream } = exchange
  if (response.headersSent || request.httpVersion === '1.0') return false
  try {
    for (const [name, value] of Object.entries(headers)) {
      http.validateHeaderName(name)
      http.validateHeaderValue(name, value)
    }
    if (stream === undefined) return sendOverHttp1(response, status, headers)
    return sendOverHttp2(stream, status, headers)
  } catch {
    return false
  }
}

function sendOverHttp1(response: MaybeInforming, status: number, headers: Headers): boolean {
  const { socket } = response
  // Without a socket, the response waits behind another one (pipelining), to which the connection
  // belongs. Node would put the interim response behind the final one.
  if (socket === null || !socket.writable || socket.writableNeedDrain) return false
  if (response.writeInformation !== undefined) {
    response.writeInformation(status, headers)
    return true
  }
  const phrase = phrases[status] ?? http.STATUS_CODES[status] ?? 'Unknown'
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} ${phrase}\r\n${lines.join('')}\r\n`, 'latin1')
  return true
}

function sendOverHttp2(stream: ServerHttp2Stream, status: number, headers: Headers): boolean {
  if (stream.destroyed || stream.closed) return false
  stream.additionalHeaders({ ':status': status, ...headers })
  return true
}
