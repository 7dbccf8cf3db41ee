import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { http2StreamOf } from './http2-stream.js'
import { RequestBody, type RequestBodyOptions } from './request-body.js'

/** The last exchange of each connection. */
const last = new WeakMap<Socket, HttpExchange>()

/** Settings of an {@link HttpExchange}. */
export interface ExchangeOptions extends RequestBodyOptions {
  /** Whether `X-HTTP-Method-Override` counts. */
  readonly overridesMethod: boolean
}

/** One request and its response. */
export class HttpExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What carries both over HTTP/2; `undefined` over HTTP/1. */
  readonly stream: ServerHttp2Stream | undefined
  /** The method that counts, whatever the one on the wire (X-HTTP-Method-Override). */
  readonly method: string
  /** Resolves when the response is sent or cannot be sent any more. */
  readonly responded: Promise<void>
  /**
   * Resolves when the request may be worked on: requests that a client sends without waiting for the answers
   * (pipelining) are worked on one after the other, since they may depend on each other (RFC 9112 section 9.3.2).
   */
  readonly turn: Promise<void> | undefined
  readonly #bodyOptions: RequestBodyOptions
  #body: RequestBody | undefined
  #bodyStarted = false
  #requestId: string | undefined

  /** The messages of HTTP/2 are typed as those of HTTP/1: Node's compatibility API offers what is used of them. */
  constructor(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    options: ExchangeOptions,
  ) {
    this.request = request as IncomingMessage
    this.response = response as ServerResponse
    this.stream = http2StreamOf(request)
    this.#bodyOptions = options
    this.method = options.overridesMethod ? effectiveMethod(this.request) : request.method!
    if (this.stream === undefined) {
      this.turn = this.response.socket === null ? last.get(request.socket)?.responded : undefined
      this.responded = respondedOnSocket(this.response, this.request.socket, this.turn)
      last.set(this.request.socket, this)
    } else {
      this.responded = closed(this.stream)
    }
  }

  /** Whether nothing can be sent to the client any more. */
  get gone(): boolean {
    if (this.stream === undefined) return this.response.destroyed
    return this.stream.destroyed || this.stream.closed
  }

  /** Asks the client to send further requests on another connection. To be called before the head is sent. */
  endConnection(): void {
    if (this.stream === undefined) this.response.setHeader('connection', 'close')
    else this.stream.session?.close()
  }

  /** Milliseconds after which a request or response that moves nothing is ended. */
  get idleTimeout(): number {
    return this.#bodyOptions.idleTimeout
  }

  get body(): RequestBody {
    return (this.#body ??= new RequestBody(this.request, this.#bodyOptions, () => {
      if (this.awaitsContinue) this.response.writeContinue()
      this.#bodyStarted = true
    }))
  }

  /**
   * Whether the client waits for `100 Continue` and has not got it: Node sends it by itself, before the handler runs,
   * unless the server has a `checkContinue` listener.
   */
  get awaitsContinue(): boolean {
    const { headers, socket, httpVersion } = this.request
    if (this.#bodyStarted || httpVersion === '1.0') return false
    // As Node finds it, also among other expectations: it leaves all of these to the listener.
    if (!/(?:^|\W)100-continue(?:$|\W)/i.test(headers.expect ?? '')) return false
    const { server } = socket as { server?: NodeJS.EventEmitter }
    return (server?.listenerCount('checkContinue') ?? 0) > 0
  }

  /** The client's `X-Request-ID` when it is harmless, or one of our own: it joins log and answer. */
  get requestId(): string {
    const given = this.request.headers['x-request-id']
    this.#requestId ??=
      typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID()
    return this.#requestId
  }
}

function respondedOnSocket(
  response: ServerResponse,
  socket: Socket,
  turn: Promise<void> | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('close', done)
      resolve()
    }
    if (response.destroyed || socket.destroyed) return resolve()
    response.on('close', done)
    // A response that waits behind another (pipelining) is not told that the connection is gone. It listens only when
    // its turn has come, or there would be as many listeners as requests that wait.
    const listen = () => {
      if (socket.destroyed) resolve()
      else if (response.socket === null) socket.on('close', done)
    }
    if (turn !== undefined) void turn.then(listen)
    else listen()
  })
}

/** A response to HEAD is not told when its stream is closed early. */
function closed(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve()
    else stream.once('close', resolve)
  })
}

/** X-HTTP-Method-Override replaces whatever method is on the wire; what it may not name is left to be refused. */
function effectiveMethod({ method, headers }: IncomingMessage): string {
  const override = headers['x-http-method-override']
  return typeof override === 'string' && override !== ''
    ? `${override.trim().toUpperCase()}`
    : method!
}
