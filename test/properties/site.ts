import { EventEmitter, once } from 'node:events'
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHandler, createUploadServer, type StoreComposer, type UploadServer } from 'tuskit'
import type { Outcome } from './model.js'
import { maxSize } from './model.js'
import { noAbort } from '../support/stages.js'

/** A response, or `cut` when the server closed the connection instead. */
export type Reply = HttpReply | 'cut'

export interface HttpReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The headers of each `104` that came before. */
  readonly interims: readonly IncomingHttpHeaders[]
}

export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: OutgoingHttpHeaders
  readonly body?: Buffer
  readonly chunked?: boolean
}

/** A body that is being written. */
export interface Open {
  readonly request: http.ClientRequest
  readonly reply: Promise<Reply>
  /** Resolves when the server has the head of the request. */
  readonly arrived: Promise<unknown>
  /** The headers of the first `104`; `undefined` when the request ends without one. */
  readonly announced: Promise<IncomingHttpHeaders | undefined>
}

export interface SiteOptions {
  /**
   * How many looks in vain make an expected event count as missing. A busy machine slows them down
   * as much as the server, which milliseconds would not do. Default: 2,500.
   */
  readonly patience?: number
  /** A function that sees every request before the server does. */
  readonly before?: (request: http.IncomingMessage, response: http.ServerResponse) => void
}

/** A server and its clients, each of which keeps its connection. */
export class Site {
  /** The paths of the uploads, by number. */
  readonly paths: string[] = []
  readonly patience: number
  readonly #server: UploadServer
  readonly #composer: StoreComposer
  readonly #clients = Array.from(
    { length: 3 },
    () => new http.Agent({ keepAlive: true, maxSockets: 1 }),
  )
  readonly #handled = new Set<Promise<void>>()
  /** Emits the port of the client when a request has arrived. */
  readonly #arrivals = new EventEmitter()

  private constructor(composer: StoreComposer, { patience = 2_500, before }: SiteOptions) {
    this.patience = patience
    this.#composer = composer
    const handler = createHandler({
      basePath: '/files',
      composer,
      maxSize,
      interimResponses: true,
      // A machine that stalls for a moment must not look like a client that does.
      takeoverAfter: 60_000,
      // Half of the `HEAD` requests meet an append that waits for its next command.
      settleTimeout: 10,
      logger: { error() {}, warn() {}, info() {}, debug() {} },
    })
    const handle = (request: http.IncomingMessage, response: http.ServerResponse) => {
      before?.(request, response)
      const handled = handler(request, response)
      this.#handled.add(handled)
      this.#arrivals.emit(String(request.socket.remotePort))
      void handled.then(() => this.#handled.delete(handled))
    }
    this.#server = createUploadServer(handle, { handler })
  }

  static async open(composer: StoreComposer, options: SiteOptions): Promise<Site> {
    const site = new Site(composer, options)
    await new Promise<void>((resolve) => site.#server.listen(0, '127.0.0.1', resolve))
    return site
  }

  async close(): Promise<void> {
    for (const agent of this.#clients) agent.destroy()
    await this.#server.stop({ timeout: 1_000 })
  }

  /** Resolves when the server has finished every request that has reached it. */
  async idle(): Promise<void> {
    while (this.#handled.size > 0) await Promise.all(this.#handled)
  }

  /** Returns how much the data store holds of an upload, without disturbing an append. */
  async stored(number: number): Promise<number | undefined> {
    const { dataStore, infoStore } = this.#composer.slots()
    const upload = await infoStore!.get(this.paths[number]!.split('/').at(-1)!, noAbort)
    if (upload === undefined) return undefined
    return (await dataStore!.stat(upload, noAbort)).offset
  }

  send(client: number, sent: Sent): Promise<Reply> {
    const request = this.#request(sent, this.#clients[client])
    let { body, chunked } = sent
    const reply = replyTo(request)
    if (chunked && body !== undefined && body.length > 1) {
      request.write(body.subarray(0, body.length >> 1))
      body = body.subarray(body.length >> 1)
    }
    request.end(body)
    return reply
  }

  /** Begins a request on a connection of its own, and sends the first `count` bytes of its body. */
  async begin(sent: Sent, count: number): Promise<Open> {
    const request = this.#request(sent, false)
    const body = sent.body?.subarray(0, count)
    const reply = replyTo(request)
    const announced = new Promise<IncomingHttpHeaders | undefined>((resolve) => {
      request.once('information', ({ headers }) => resolve(headers))
      void reply.then(() => resolve(undefined))
    })
    const arrived = new Promise<void>((resolve) => {
      request.once('socket', (socket) =>
        socket.once('connect', () => this.#arrivals.once(String(socket.localPort), resolve)),
      )
    })
    request.flushHeaders()
    if (body !== undefined && body.length > 0) {
      await new Promise((resolve) => request.write(body, resolve))
    } else {
      await once(request, 'socket')
    }
    return { request, reply, arrived, announced }
  }

  #request(
    { body, chunked = false, method, path, ...sent }: Sent,
    agent: http.Agent | false | undefined,
  ): http.ClientRequest {
    const headers = {
      ...sent.headers,
      ...(body && !chunked && { 'content-length': body.length }),
      ...(chunked && { 'transfer-encoding': 'chunked' }),
    }
    const { port } = this.#server.address() as AddressInfo
    const host = '127.0.0.1'
    return http.request({
      host,
      port,
      method,
      path,
      headers,
      ...(agent !== undefined && { agent }),
    })
  }
}

function replyTo(request: http.ClientRequest): Promise<Reply> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    const interims: IncomingHttpHeaders[] = []
    request.on('error', () => resolve('cut'))
    request.on('information', ({ headers }) => interims.push(headers))
    request.on('response', (response) => {
      const { statusCode, headers } = response
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', () => resolve('cut'))
      response.on('end', () =>
        resolve({ status: statusCode!, headers, body: Buffer.concat(pieces), interims }),
      )
    })
  })
}

/** Returns how a response differs from the expected one; `undefined` when it does not. */
export function difference(reply: Reply, expected: Outcome): string | undefined {
  const statuses = expected.statuses.join(' or ')
  if (reply === 'cut') return `The connection was cut; the model says ${statuses}`
  const { status, headers, body, interims } = reply
  if (!expected.statuses.includes(status)) {
    return `${status} ${body.subarray(0, 200)}; the model says ${statuses}`
  }
  const isTus = headers['tus-resumable'] === '1.0.0'
  if (!isTus && expected.by === undefined) return `${status} without Tus-Resumable`
  if (isTus && expected.by === 'draft') return `${status} with Tus-Resumable`
  const wrong = wrongHeader(headers, expected.headers)
  if (wrong !== undefined) return wrong
  const { interim } = expected
  if (interims.length !== (interim ? 1 : 0)) return `${status} after ${interims.length} times 104`
  const wrongBefore = interim && wrongHeader(interims[0]!, interim)
  if (wrongBefore !== undefined) return `104 with ${wrongBefore}`
  if (expected.body !== undefined && !expected.body.equals(body)) {
    return `${body.length} bytes that are not the ${expected.body.length} of the model`
  }
  return undefined
}

function wrongHeader(headers: IncomingHttpHeaders, expected: Outcome['headers']) {
  for (const [name, value] of Object.entries(expected)) {
    if (headers[name] !== value) return `${name}: ${headers[name]}; the model says ${value}`
  }
  return undefined
}
