import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { createHandler, type Handler, type HandlerOptions } from 'tuskit'
import { createCertificate } from './certificate.js'
import { chunk, memoryComposer, tus } from './serve.js'

export const transports = [
  { transport: 'cleartext', secure: false },
  { transport: 'TLS', secure: true },
]

/** The certificate of `localhost`, which {@link trust} accepts. */
export const certificate = createCertificate()
/** Options with which a client trusts the server, which has an address and no name. */
export const trust = { ca: certificate.cert, servername: 'localhost' }

type Listener = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void

export interface Http2Site {
  readonly origin: string
  readonly port: number
  readonly server: http2.Http2Server | http2.Http2SecureServer
}

/**
 * Starts an HTTP/2 server on a free port, and closes it when the test ends. With TLS, it also
 * speaks HTTP/1.1.
 */
export async function serveHttp2(listener: Listener, secure = false): Promise<Http2Site> {
  const options = { ...certificate, allowHTTP1: true }
  const server = secure ? http2.createSecureServer(options, listener) : http2.createServer(listener)
  // This is for requests over HTTP/1.1. The server has no such option, only the property.
  Object.assign(server, { requestTimeout: 0 })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { origin: `http${secure ? 's' : ''}://127.0.0.1:${port}`, port, server }
}

export interface Http2Uploads extends Http2Site {
  readonly handler: Handler
  readonly session: ClientHttp2Session
}

/**
 * Starts a server with a handler under /files, by default in memory, and opens a client session to
 * it.
 */
export async function serveUploads(
  options: Partial<HandlerOptions> = {},
  secure = false,
): Promise<Http2Uploads> {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer(), ...options })
  const site = await serveHttp2(handler, secure)
  return { ...site, handler, session: connectHttp2(site) }
}

/** Opens a client session, and closes it when the test ends. */
export function connectHttp2({ origin }: Pick<Http2Site, 'origin'>): ClientHttp2Session {
  const session = http2.connect(origin, trust)
  session.on('error', () => {})
  onTestFinished(() => session.destroy())
  return session
}

export interface Http2Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface OpenStream {
  readonly stream: ClientHttp2Stream
  /** Rejects when the stream is reset before the end of the response. */
  readonly reply: Promise<Http2Reply>
}

/** Starts a request whose body the test writes piece by piece. */
export function openStream(session: ClientHttp2Session, headers: OutgoingHttpHeaders): OpenStream {
  const stream = session.request(headers, { endStream: false })
  const reply = new Promise<Http2Reply>((resolve, reject) => {
    const pieces: Buffer[] = []
    let got: IncomingHttpHeaders | undefined
    stream.on('response', (response) => (got = response))
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', reject)
    stream.on('close', () => {
      if (got === undefined) return reject(new Error(`Closed with ${stream.rstCode}`))
      resolve({
        status: Number(got[':status']),
        headers: got,
        text: Buffer.concat(pieces).toString(),
      })
    })
  })
  // A test that expects the reset need not look at the reply.
  reply.catch(() => {})
  return { stream, reply }
}

/** Sends a request. Resolves when the whole response has arrived. */
export function sendHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Http2Reply> {
  const { stream, reply } = openStream(session, headers)
  stream.end(body)
  return reply
}

/** Creates an upload and returns its path. */
export async function createOverHttp2(
  { session }: Pick<Http2Uploads, 'session'>,
  length: number,
): Promise<string> {
  const headers = { ...tus, 'upload-length': String(length) }
  const reply = await sendHttp2(session, { ':method': 'POST', ':path': '/files', ...headers })
  if (reply.status !== 201) throw new Error(`${reply.status} ${reply.text}`)
  return reply.headers.location!
}

/** Returns the headers of a PATCH. */
export function patchHead(
  path: string,
  offset: number,
  headers: OutgoingHttpHeaders = {},
): OutgoingHttpHeaders {
  const always = { ...chunk, 'upload-offset': String(offset) }
  return { ':method': 'PATCH', ':path': path, ...always, ...headers }
}

/** Returns the offset that HEAD reports. */
export async function offsetOverHttp2(session: ClientHttp2Session, path: string): Promise<number> {
  const { headers } = await sendHttp2(session, { ':method': 'HEAD', ':path': path, ...tus })
  return Number(headers['upload-offset'])
}
