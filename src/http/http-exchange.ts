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
  /** Whether `X-HTTP-Method-Override` is honoured. */
  readonly overridesMethod: boolean
}

/** One request and its response. */
export class HttpExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The HTTP/2 stream that carries both; `undefined` over HTTP/1. */
  readonly stream: ServerHttp2Stream | undefined
  /** The effective method, after `X-HTTP-Method-Override`. */
  readonly method: string
  /** Resolves when the response is sent, or can no longer be sent. */
  readonly responded: Promise<void>
  /**
   * Resolves when work on the request may begin; `undefined` when it may begin at once. Requests
   * that a client sends without waiting for responses (pipelining) are processed one after the
   * other, because they may depend on each other (RFC 9112 section 9.3.2).
   */
  readonly turn: Promise<void> | undefined
  readonly #bodyOptions: RequestBodyOptions
  #body: RequestBody | undefined
  #bodyStarted = false
  #requestId: string | undefined

  /**
   * Types HTTP/2 messages as HTTP/1 messages: Node's compatibility API has every member that is
   * used here.
   */
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

  /** Whether nothing more can be sent to the client. */
  get gone(): boolean {
    if (this.stream === undefined) return this.response.destroyed
    return this.stream.destroyed || this.stream.closed
  }

  /**
   * Asks the client to send further requests on another connection. Call it before the head is
   * sent.
   */
  endConnection(): void {
    if (this.stream === undefined) this.response.setHeader('connection', 'close')
    else this.stream.session?.close()
  }

  /** Milliseconds without progress after which a request or response is ended. */
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
   * Whether the client still waits for `100 Continue`. Node sends it before the handler runs,
   * unless the server has a `checkContinue` listener.
   */
  get awaitsContinue(): boolean {
    const { headers, socket, httpVersion } = this.request
    if (this.#bodyStarted || httpVersion === '1.0') return false
    // The same test as Node's, which also finds it among other expectations.
    if (!/(?:^|\W)100-continue(?:$|\W)/i.test(headers.expect ?? '')) return false
    const { server } = socket as { server?: NodeJS.EventEmitter }
    return (server?.listenerCount('checkContinue') ?? 0) > 0
  }

  /**
   * The id that connects the log with the response: the client's `X-Request-ID` if it is harmless,
   * otherwise a new one.
   */
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
    // A response that waits behind another (pipelining) gets no event when the connection is gone.
    // It listens only in its turn; otherwise each waiting request would add a listener.
    const listen = () => {
      if (socket.destroyed) resolve()
      else if (response.socket === null) socket.on('close', done)
    }
    if (turn !== undefined) void turn.then(listen)
    else listen()
  })
}

/** Listens to the stream: a response to HEAD gets no event when its stream closes early. */
function closed(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve()
    else stream.once('close', resolve)
  })
}

/**
 * Returns the method after `X-HTTP-Method-Override`, which replaces any method on the wire. A
 * method that it must not name is refused later.
 */
function effectiveMethod({ method, headers }: IncomingMessage): string {
  const override = headers['x-http-method-override']
  return typeof override === 'string' && override !== '' ? override.trim().toUpperCase() : method!
}
