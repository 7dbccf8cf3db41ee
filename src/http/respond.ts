import http, { type OutgoingHttpHeaders } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { withoutConnectionHeaders } from '../connection-headers.js'
import type { ErrorCode } from '../error-codes.js'
import type { Logger } from '../logger.js'
import { brief, drain, drainPatiently } from './drain.js'
import type { HttpExchange } from './http-exchange.js'
import { cancel, internalError, noError } from './http2-stream.js'

/** A response to a request. */
export interface HttpResponse {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** When absent, the response has no body. Never sent in response to HEAD. */
  readonly body?: string | Readable
  /**
   * The value of `Cache-Control`, which overrides {@link HttpResponse.headers}.
   * @default 'no-store'
   */
  readonly cacheControl?: string
  /** The code of the error that this is the response to. Never sent. */
  readonly code?: ErrorCode
}

/** A request body with at most this many bytes left is read, to keep the connection. */
const smallRest = 65_536

const phrases: Readonly<Record<number, string>> = { 460: 'Checksum Mismatch' }

/**
 * Writes the response, and is the only function that does. `stopping` aborts when a server that
 * stops waits for the response. Resolves when the response is done. Never rejects.
 */
export async function respond(
  exchange: HttpExchange,
  httpResponse: HttpResponse,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const { request, response } = exchange
  const { status, headers, body } = httpResponse
  if (response.headersSent || exchange.gone) {
    if (typeof body === 'object') discard(body)
    // A closed stream ends only after it is read.
    exchange.stream?.resume()
    return
  }
  if (typeof body === 'object') return stream(exchange, httpResponse, body, log)
  const silent = exchange.method === 'HEAD' || status === 204 || status === 304
  // A 205 has no content, but a `Content-Length` of 0.
  const text = silent || status === 205 ? '' : (body ?? '')
  const linger = bodyIsComing(exchange)
  const head = { ...headers }
  // A 204 must not have this header. In a 304 it would be the size of the content (RFC 9110
  // section 8.6).
  if (status === 204 || status === 304) delete head['content-length']
  else head['content-length'] = Buffer.byteLength(text)
  if (linger) head.connection = 'close'
  writeHead(exchange, status, head)
  if (exchange.stream !== undefined) {
    // If nothing may follow the head, Node has already ended the stream.
    if (text === '') response.end()
    else response.end(text)
    await endStream(exchange.stream)
  } else if (linger) {
    if (text !== '') response.write(text)
    else response.flushHeaders()
    await drainPatiently(request, stopping)
    response.end()
  } else {
    response.end(text)
    // The rest comes before the next request. Node reads it by itself unless reading has begun.
    if (request.readableFlowing !== null) request.resume()
  }
  await delivered(exchange)
}

/**
 * Waits until the response is sent or cannot be sent. Cuts it when it makes no progress for
 * `idleTimeout`: a client that does not read must not hold memory and files forever. `body` is the
 * source of the response's bytes.
 */
async function delivered(exchange: HttpExchange, body?: Readable): Promise<void> {
  const timer = setTimeout(() => {
    if (exchange.stream === undefined) exchange.response.destroy()
    else exchange.stream.close(cancel)
  }, exchange.idleTimeout)
  // A piece is read only when the client has taken enough of those before, so it means progress.
  body?.on('data', () => timer.refresh())
  await exchange.responded
  clearTimeout(timer)
}

async function stream(
  exchange: HttpExchange,
  { status, headers }: HttpResponse,
  body: Readable,
  log: Logger,
): Promise<void> {
  const { request, requestId, response } = exchange
  // Whether there is a body depends on the method on the wire, not on the effective one.
  const silent = request.method === 'HEAD'
  writeHead(exchange, status, headers)
  const done = delivered(exchange, silent ? undefined : body)
  try {
    if (silent) {
      discard(body)
      response.end()
    } else {
      let missing = Number(headers['content-length'])
      // The compatibility API's response claims to be finished when the client resets the stream.
      const sending = pipeline(body, exchange.stream ?? response, { end: false })
      body.on('data', (piece: Buffer) => (missing -= piece.length))
      await sending
      // On a kept connection, the client would read the next response as the missing bytes.
      if (missing !== 0) throw new Error(`The store sent ${missing} bytes fewer than announced`)
      response.end()
    }
    if (exchange.stream !== undefined) await endStream(exchange.stream)
  } catch (error) {
    // The client is gone, or the store failed after the head: cutting the connection shows either.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_STREAM_PREMATURE_CLOSE') log.error('A download failed', { requestId, error })
    if (exchange.stream === undefined) response.destroy()
    else exchange.stream.close(internalError)
  }
  await done
}

/** Closes an unread stream. Some streams, such as those of HTTP clients, then emit an error. */
function discard(body: Readable): void {
  body.on('error', () => {}).destroy()
}

/** Whether more of the request's body is coming than is worth reading to keep the connection. */
function bodyIsComing({ request, stream, awaitsContinue }: HttpExchange): boolean {
  if (stream !== undefined) return false
  if (request.complete || request.destroyed || awaitsContinue) return false
  if (request.headers['transfer-encoding'] !== undefined) return true
  return Number(request.headers['content-length'] ?? 0) > smallRest
}

function writeHead(
  { response, stream }: HttpExchange,
  status: number,
  headers: OutgoingHttpHeaders,
): void {
  const phrase = phrases[status]
  const head: OutgoingHttpHeaders = withoutConnectionHeaders(headers)
  if (stream === undefined && headers.connection === 'close') head.connection = 'close'
  // Keep `Vary` of CORS and middleware: an application's own must not make caches mix up origins.
  const varies = response.getHeader('vary')
  if (varies !== undefined && head.vary !== undefined) head.vary = `${varies}, ${head.vary}`
  try {
    if (stream !== undefined) response.writeHead(status, validated(head))
    else if (phrase === undefined) response.writeHead(status, head)
    else response.writeHead(status, phrase, head)
  } catch {
    // An error or a store of the application may have set an invalid header.
    const close = stream === undefined && { connection: 'close' }
    response.writeHead(500, { 'cache-control': 'no-store', ...close })
  }
}

/**
 * Returns the headers, or throws if one is invalid. Over HTTP/2, Node would reset the stream for a
 * bad name, and send a bad value.
 */
function validated(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  for (const [name, value] of Object.entries(headers)) {
    http.validateHeaderName(name)
    http.validateHeaderValue(name, value as string)
  }
  return headers
}

/** Lets the client finish sending an unwanted body after the response, but not forever. */
async function endStream(stream: ServerHttp2Stream): Promise<void> {
  if (stream.destroyed) return
  if (stream.state.remoteClose !== 1 && !(await drain(stream, brief))) stream.close(noError)
  stream.resume()
}
