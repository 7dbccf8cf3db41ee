import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHandler, createServer, type StoreComposer, type UploadServer } from 'tuskit'
import type { Outcome } from './model.js'
import { maxSize } from './model.js'

/** An answer, or `cut` when the server closed the connection instead. */
export type Reply = Answered | 'cut'

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
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
}

/** A server and its clients, each of which keeps its connection. */
export class Site {
  /** The paths of the uploads, by number. */
  readonly paths: string[] = []
  /** Milliseconds after which something that should happen never will. */
  readonly patience: number
  readonly #server: UploadServer
  readonly #clients = Array.from(
    { length: 3 },
    () => new http.Agent({ keepAlive: true, maxSockets: 1 }),
  )
  readonly #handled = new Set<Promise<void>>()

  private constructor(composer: StoreComposer, patience: number) {
    this.patience = patience
    const logger = { error() {}, warn() {}, info() {}, debug() {} }
    // A machine that stands still for a moment must not pass for a client that does.
    const options = { basePath: '/files', composer, maxSize, stalledAfter: 60_000, logger }
    const handler = createHandler(options)
    const handle = (request: http.IncomingMessage, response: http.ServerResponse) => {
      const handled = handler(request, response)
      this.#handled.add(handled)
      void handled.then(() => this.#handled.delete(handled))
    }
    this.#server = createServer(Object.assign(handle, { shutdown: handler.shutdown }))
  }

  static async open(composer: StoreComposer, patience: number): Promise<Site> {
    const site = new Site(composer, patience)
    await new Promise<void>((resolve) => site.#server.listen(0, '127.0.0.1', resolve))
    return site
  }

  async close(): Promise<void> {
    for (const agent of this.#clients) agent.destroy()
    await this.#server.stop({ timeout: 1_000 })
  }

  /** Resolves when the server has done with every request that has reached it. */
  async idle(): Promise<void> {
    while (this.#handled.size > 0) await Promise.all(this.#handled)
  }

  send(client: number, { body, chunked = false, ...sent }: Sent): Promise<Reply> {
    const headers = {
      ...sent.headers,
      ...(body && !chunked && { 'content-length': body.length }),
      ...(chunked && { 'transfer-encoding': 'chunked' }),
    }
    const request = this.#request({ ...sent, headers }, this.#clients[client])
    const reply = replyTo(request)
    if (chunked && body !== undefined && body.length > 1) {
      request.write(body.subarray(0, body.length >> 1))
      body = body.subarray(body.length >> 1)
    }
    request.end(body)
    return reply
  }

  /** Begins a request on a connection of its own; `body` is how much of it is sent for now. */
  async begin({ body, ...sent }: Sent): Promise<Open> {
    const request = this.#request(sent, false)
    const reply = replyTo(request)
    request.flushHeaders()
    if (body !== undefined && body.length > 0) {
      await new Promise((resolve) => request.write(body, resolve))
    } else {
      await once(request, 'socket')
    }
    return { request, reply }
  }

  #request(
    { method, path, headers }: Sent,
    agent: http.Agent | false | undefined,
  ): http.ClientRequest {
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
    request.on('error', () => resolve('cut'))
    request.on('response', (response) => {
      const { statusCode, headers } = response
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', () => resolve('cut'))
      response.on('end', () =>
        resolve({ status: statusCode!, headers, body: Buffer.concat(pieces) }),
      )
    })
  })
}

/** In which way an answer is not the expected one; `undefined` when it is. */
export function difference(reply: Reply, expected: Outcome): string | undefined {
  const statuses = expected.statuses.join(' or ')
  if (reply === 'cut') return `The connection was cut; the model says ${statuses}`
  const { status, headers, body } = reply
  if (!expected.statuses.includes(status)) {
    return `${status} ${body.subarray(0, 200)}; the model says ${statuses}`
  }
  if (headers['tus-resumable'] !== '1.0.0') return `${status} without Tus-Resumable`
  for (const [name, value] of Object.entries(expected.headers)) {
    if (headers[name] !== value) return `${name}: ${headers[name]}; the model says ${value}`
  }
  if (expected.body !== undefined && !expected.body.equals(body)) {
    return `${body.length} bytes that are not the ${expected.body.length} of the model`
  }
  return undefined
}
