import { mkdtemp, readdir, rm } from 'node:fs/promises'
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import {
  createHandler,
  createUploadServer,
  StoreComposer,
  type Handler,
  type HandlerOptions,
  type UploadServer,
} from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'

/** Creates a directory for a test, and removes it when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tuskit-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Returns all names below a directory, in order, except the file by which it is recognised. */
export async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true })
  return names.filter((name) => name !== '.tuskit').sort()
}

export function memoryComposer(): StoreComposer {
  return new StoreComposer().use(new MemoryStore(), new MemoryInfoStore())
}

export function fileComposer(directory: string): StoreComposer {
  return new StoreComposer().use(new FileStore({ directory }), new FileInfoStore({ directory }))
}

/** The stores of the core, for describe.each. A client sees no difference between them. */
export const stores = [
  { store: 'memory', compose: async () => memoryComposer() },
  { store: 'file', compose: async () => fileComposer(await temporaryDirectory()) },
]

export interface Site {
  readonly origin: string
  readonly port: number
  readonly handler: Handler
  readonly server: UploadServer
}

/**
 * Starts a server with a handler under /files on a free port, and stops it when the test ends. By
 * default uploads are in memory.
 */
export async function serve(options: Partial<HandlerOptions> = {}): Promise<Site> {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer(), ...options })
  const server = createUploadServer(handler)
  const port = await listen(server)
  onTestFinished(() => server.stop({ timeout: 1_000 }))
  return { origin: `http://127.0.0.1:${port}`, port, handler, server }
}

export async function listen(server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export const tus = { 'tus-resumable': '1.0.0' }
export const chunk = { ...tus, 'content-type': 'application/offset+octet-stream' }

export interface Reply {
  readonly status: number
  readonly statusMessage: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

export interface Sent {
  readonly method: string
  /** A URL, or a path with `origin` before it. */
  readonly url: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Buffer
  /** Sent after the body, which is then chunked. Announce them with a `trailer` header. */
  readonly trailers?: Readonly<Record<string, string>>
}

/** Sends a request with exactly these headers. Resolves when the whole response has arrived. */
export function send({ method, url, headers = {}, body, trailers }: Sent): Promise<Reply> {
  // The headers of responses can contain long metadata.
  const request = http.request(url, { method, headers, agent: false, maxHeaderSize: 131_072 })
  const reply = replyTo(request)
  if (trailers !== undefined) request.addTrailers(trailers)
  request.end(body)
  return reply
}

function replyTo(request: http.ClientRequest): Promise<Reply> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        const body = Buffer.concat(pieces)
        const { statusCode, statusMessage, headers } = response
        const text = body.toString()
        resolve({ status: statusCode!, statusMessage: statusMessage!, headers, body, text })
      })
    })
  })
}

/** Creates an upload and returns its URL. */
export async function createUpload(
  { origin }: Pick<Site, 'origin'>,
  headers: OutgoingHttpHeaders = { 'upload-length': '11' },
): Promise<string> {
  const reply = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers: { ...tus, ...headers },
  })
  if (reply.status !== 201) throw new Error(`${reply.status} ${reply.text}`)
  return new URL(reply.headers.location!, origin).href
}

/** Sends a POST to the creation URL. With a body, it has the content type of a chunk. */
export function post(
  { origin }: Pick<Site, 'origin'>,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Reply> {
  const always = body === undefined ? tus : chunk
  const url = `${origin}/files`
  return send({ method: 'POST', url, headers: { ...always, ...headers }, ...(body && { body }) })
}

export function patch(
  url: string,
  offset: number,
  body: string | Buffer,
  headers: OutgoingHttpHeaders = {},
): Promise<Reply> {
  return send({
    method: 'PATCH',
    url,
    headers: { ...chunk, 'upload-offset': String(offset), ...headers },
    body,
  })
}

export function head(url: string, headers: OutgoingHttpHeaders = tus): Promise<Reply> {
  return send({ method: 'HEAD', url, headers })
}

/** Returns the offset that HEAD reports. */
export async function offsetOf(url: string): Promise<unknown> {
  return (await head(url)).headers['upload-offset']
}

export function remove(url: string): Promise<Reply> {
  return send({ method: 'DELETE', url, headers: tus })
}

/** Returns the content of a finished upload. */
export async function download(url: string): Promise<string> {
  const reply = await send({ method: 'GET', url })
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`)
  return reply.text
}

export interface OpenRequest {
  readonly request: http.ClientRequest
  readonly reply: Promise<Reply>
}

/**
 * Starts a request whose body the test writes piece by piece. `reply` rejects when the connection
 * is cut. A `body` is the first piece, sent together with the headers.
 */
export function openRequest({ method, url, headers = {}, body }: Sent): OpenRequest {
  const request = http.request(url, { method, headers, agent: false })
  const reply = replyTo(request)
  // A test that expects the cut need not look at the reply.
  reply.catch(() => {})
  if (body === undefined) request.flushHeaders()
  else request.write(body)
  return { request, reply }
}

export function openPatch(
  url: string,
  offset: number,
  headers: OutgoingHttpHeaders = {},
): OpenRequest {
  const always = { ...chunk, 'upload-offset': String(offset) }
  return openRequest({ method: 'PATCH', url, headers: { ...always, ...headers } })
}

/**
 * Sends raw bytes. Resolves with everything that comes back before the connection closes or is
 * reset.
 */
export function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (piece) => pieces.push(piece))
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(pieces).toString('latin1')))
    socket.write(bytes)
  })
}

/** Waits until HEAD reports the offset, so that the bytes of an open request have arrived. */
export function untilOffset(url: string, offset: number): Promise<Reply> {
  return until(
    () => head(url),
    ({ headers }) => headers['upload-offset'] === String(offset),
  )
}

/** Returns the id of an upload from its URL. */
export function idOf(url: string): string {
  return url.split('/').at(-1)!
}

/** Waits until that many bytes are stored. Unlike a draft request, it takes no upload over. */
export function untilStored(
  { handler }: Pick<Site, 'handler'>,
  url: string,
  offset: number,
): Promise<unknown> {
  return until(
    () => handler.uploads.inspect(idOf(url)),
    (found) => found.offset === offset,
  )
}

/**
 * Repeats a question until `holds` is true of the result. Use it for other processes and sockets.
 */
export async function until<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await ask()
    if (holds(value)) return value
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
