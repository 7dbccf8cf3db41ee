import http, { type OutgoingHttpHeaders } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { withoutConnectionHeaders } from '../connection-headers.js'
import type { Logger } from '../logger.js'
import { brief, drain, drainPatiently } from './drain.js'
import type { HttpExchange } from './http-exchange.js'
import { cancel, internalError, noError } from './http2-stream.js'

/** What a request is answered with. */
export interface HttpResponse {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** Absent: none. Never sent in answer to HEAD. */
  readonly body?: string | Readable
  /** `Cache-Control`, whatever {@link HttpResponse.headers} say. Absent: `no-store`. */
  readonly cacheControl?: string
}

/** A body that has this much left at most is read to its end, to keep the connection. */
const smallRest = 65_536

const phrases: Readonly<Record<number, string>> = { 460: 'Checksum Mismatch' }

/**
 * Writes the response; the only place that does. `stopping` aborts when the server is waiting for it. Resolves when it is
 * done. Never rejects.
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
    // A stream that was closed is over when it is read.
    exchange.stream?.resume()
    return
  }
  if (typeof body === 'object') return stream(exchange, httpResponse, body, log)
  const silent = exchange.method === 'HEAD' || status === 204 || status === 304
  // 205 has a length, but of nothing.
  const text = silent || status === 205 ? '' : (body ?? '')
  const linger = bodyIsComing(exchange)
  const head = { ...headers }
  // A 204 must not have one, and that of a 304 would be that of the content (RFC 9110 section 8.6).
  if (status === 204 || status === 304) delete head['content-length']
  else head['content-length'] = Buffer.byteLength(text)
  if (linger) head.connection = 'close'
  writeHead(exchange, status, head)
  if (exchange.stream !== undefined) {
    // Node has ended the stream already when nothing may follow the head.
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
    // Node does so by itself when nobody has begun to read; the next request comes after the rest.
    if (request.readableFlowing !== null) request.resume()
  }
  await delivered(exchange)
}

/**
 * Resolves when the response is sent or cannot be. It is cut when nothing of it moves for `idleTimeout`: a client that does
 * not read must not hold memory and files for ever. `body`: where its pieces come from.
 */
async function delivered(exchange: HttpExchange, body?: Readable): Promise<void> {
  const timer = setTimeout(() => {
    if (exchange.stream === undefined) exchange.response.destroy()
    else exchange.stream.close(cancel)
  }, exchange.idleTimeout)
  // Each piece is asked for when the client has taken enough of those before.
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
  // Whether there is a body depends on the method on the wire, whatever the one that counts.
  const silent = request.method === 'HEAD'
  writeHead(exchange, status, headers)
  const done = delivered(exchange, silent ? undefined : body)
  try {
    if (silent) {
      discard(body)
      response.end()
    } else {
      let missing = Number(headers['content-length'])
      // The response of the compatibility API calls itself finished when the client resets the stream.
      const sending = pipeline(body, exchange.stream ?? response, { end: false })
      body.on('data', (piece: Buffer) => (missing -= piece.length))
      await sending
      // On a connection that is kept, the next response would be taken for what is missing.
      if (missing !== 0) throw new Error(`The store sent ${missing} bytes less than it said`)
      response.end()
    }
    if (exchange.stream !== undefined) await endStream(exchange.stream)
  } catch (error) {
    // The client went away, or the store failed when the head was sent: the cut connection tells either.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_STREAM_PREMATURE_CLOSE') log.error('A download failed', { requestId, error })
    if (exchange.stream === undefined) response.destroy()
    else exchange.stream.close(internalError)
  }
  await done
}

/** Closes a stream that nobody reads. Some, such as those of HTTP clients, then tell of an error. */
function discard(body: Readable): void {
  body.on('error', () => {}).destroy()
}

/** Whether more of the request's body is on its way than is worth reading to keep the connection. */
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
  // Of CORS, or of middleware: what an application adds must not make caches mix up origins.
  const varies = response.getHeader('vary')
  if (varies !== undefined && head.vary !== undefined) head.vary = `${varies}, ${head.vary}`
  try {
    if (stream !== undefined) response.writeHead(status, validated(head))
    else if (phrase === undefined) response.writeHead(status, head)
    else response.writeHead(status, phrase, head)
  } catch {
    // An application's own error or store can ask for what cannot be sent.
    const close = stream === undefined && { connection: 'close' }
    response.writeHead(500, { 'cache-control': 'no-store', ...close })
  }
}

/** Throws when one cannot be sent over HTTP/2: Node would reset the stream for a bad name, and send a bad value. */
function validated(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  for (const [name, value] of Object.entries(headers)) {
    http.validateHeaderName(name)
    http.validateHeaderValue(name, value as string)
  }
  return headers
}

/** The client may go on with a body that nobody wants when it has the response; not for ever. */
async function endStream(stream: ServerHttp2Stream): Promise<void> {
  if (stream.destroyed) return
  if (stream.state.remoteClose !== 1 && !(await drain(stream, brief))) stream.close(noError)
  stream.resume()
}
