import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import type { Logger } from '../logger.js'
import type { HttpExchange } from './http-exchange.js'

/** What a request is answered with. */
export interface Answer {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** Absent: none. Never sent in answer to HEAD. */
  readonly body?: string | Readable
}

/** A body that has this much left at most is read to its end, to keep the connection. */
const smallRest = 65_536
/** Otherwise so much of it is thrown away, for so long, before the connection is closed: a reset could overtake the answer. */
const drainBytes = 4_194_304
const drainMilliseconds = 2_000

const phrases: Readonly<Record<number, string>> = { 460: 'Checksum Mismatch' }

/** Writes the response; the only place that does. Resolves when it is done. Never rejects. */
export async function respond(exchange: HttpExchange, answer: Answer, log: Logger): Promise<void> {
  const { request, response } = exchange
  const { status, headers, body } = answer
  if (response.headersSent || response.destroyed) {
    if (typeof body === 'object') discard(body)
    return
  }
  if (typeof body === 'object') return stream(exchange, answer, body, log)
  const silent = exchange.method === 'HEAD' || status === 204 || status === 304
  const text = silent ? '' : (body ?? '')
  const linger = bodyIsComing(exchange)
  const head = { ...headers }
  // A 204 must not have one, and that of a 304 would be that of the content (RFC 9110 section 8.6).
  if (status !== 204 && status !== 304) head['content-length'] = Buffer.byteLength(text)
  if (linger) head.connection = 'close'
  writeHead(response, status, head)
  if (linger) {
    if (text !== '') response.write(text)
    else response.flushHeaders()
    await drain(request)
    response.end()
  } else {
    response.end(text)
    // Node does so by itself when nobody has begun to read; the next request comes after the rest.
    if (request.readableFlowing !== null) request.resume()
  }
  await exchange.answered
}

async function stream(
  { method, requestId, response }: HttpExchange,
  { status, headers }: Answer,
  body: Readable,
  log: Logger,
): Promise<void> {
  writeHead(response, status, headers)
  try {
    if (method === 'HEAD') {
      discard(body)
      response.end()
    } else {
      let missing = Number(headers['content-length'])
      const sending = pipeline(body, response, { end: false })
      body.on('data', (piece: Buffer) => (missing -= piece.length))
      await sending
      // On a connection that is kept, the next response would be taken for what is missing.
      if (missing !== 0) throw new Error(`The store sent ${missing} bytes less than it said`)
      response.end()
    }
  } catch (error) {
    // The client went away, or the store failed when the head was sent: the cut connection tells either.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_STREAM_PREMATURE_CLOSE') log.error('A download failed', { requestId, error })
    response.destroy()
  }
}

/** Closes a stream that nobody reads. Some, such as those of HTTP clients, then tell of an error. */
function discard(body: Readable): void {
  body.on('error', () => {}).destroy()
}

/** Whether more of the request's body is on its way than is worth reading to keep the connection. */
function bodyIsComing({ request, awaitsContinue }: HttpExchange): boolean {
  if (request.complete || request.destroyed || awaitsContinue) return false
  if (request.headers['transfer-encoding'] !== undefined) return true
  return Number(request.headers['content-length'] ?? 0) > smallRest
}

function writeHead(response: ServerResponse, status: number, headers: OutgoingHttpHeaders): void {
  const phrase = phrases[status]
  try {
    if (phrase === undefined) response.writeHead(status, headers)
    else response.writeHead(status, phrase, headers)
  } catch {
    // An application's own error or store can ask for what cannot be sent.
    response.writeHead(500, { connection: 'close' })
  }
}

/** Throws bytes of the request away until they end, or there were enough of them, or for long enough. */
function drain(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let left = drainBytes
    const onData = (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) done()
    }
    const done = () => {
      clearTimeout(timer)
      request.off('data', onData).off('end', done).off('close', done)
      request.pause()
      resolve()
    }
    const timer = setTimeout(done, drainMilliseconds)
    request.on('data', onData).once('end', done).once('close', done)
    request.resume()
  })
}
