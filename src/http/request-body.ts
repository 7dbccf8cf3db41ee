import type { IncomingMessage } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Readable } from 'node:stream'
import type { BodyEnd, IncomingBody, StopReason } from '../capabilities/incoming-body.js'
import { readableOf } from '../readable-of.js'
import { resetSocket } from '../reset-socket.js'
import { Batch } from './batch.js'
import type { BufferBudget } from './buffer-budget.js'
import { cancel, http2StreamOf, roundTrip } from './http2-stream.js'

/** Settings of a {@link RequestBody}. */
export interface RequestBodyOptions {
  readonly budget: BufferBudget
  /** Milliseconds after which the body ends if the store waits and no byte arrives. */
  readonly idleTimeout: number
}

/**
 * The body of a request. Bytes gather while the store is busy, and go to it in one batch. The
 * request is paused only when the budget is used up. Time counts as idle only while the store waits
 * for bytes.
 */
export class RequestBody implements IncomingBody {
  readonly #request: IncomingMessage
  readonly #stream: ServerHttp2Stream | undefined
  /** Where the bytes come from. */
  readonly #source: Readable
  readonly #options: RequestBodyOptions
  readonly #onStart: () => void
  readonly #resolveEnded: (end: BodyEnd) => void
  #batch = new Batch()
  #received = 0
  #end: BodyEnd | undefined
  #started = false
  /** Whether the iteration has ended. */
  #over = false
  #waitingSince: number | undefined
  readonly #wakes: (() => void)[] = []
  #idleTimer: NodeJS.Timeout | undefined
  readonly size: number | undefined
  readonly ended: Promise<BodyEnd>

  /** Calls `onStart` when reading begins: the time to send `100 Continue`. */
  constructor(request: IncomingMessage, options: RequestBodyOptions, onStart: () => void) {
    this.#request = request
    this.#stream = http2StreamOf(request)
    this.#source = this.#stream ?? request
    this.#options = options
    this.#onStart = onStart
    this.size = bodySize(request)
    let resolveEnded!: (end: BodyEnd) => void
    this.ended = new Promise((resolve) => (resolveEnded = resolve))
    this.#resolveEnded = resolveEnded
    for (const source of new Set([this.#source, request])) {
      source.on('aborted', this.#onGone)
      source.on('close', this.#onGone)
      source.on('error', this.#onGone)
    }
    // Middleware before the handler may have read the body, or waited so long that it is gone.
    if (this.#source.readableEnded && this.#source.readableDidRead && this.size !== 0) {
      throw new Error('The body has already been read: mount the handler before body parsers')
    }
    if (this.#source.destroyed || request.destroyed) this.#onGone()
  }

  get received(): number {
    return this.#received
  }

  idleTime(): number {
    return this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince
  }

  stop(reason: StopReason): void {
    if (this.#end !== undefined) return
    this.#finish(reason)
    if (reason === 'released') this.#cut()
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly Buffer[], undefined> {
    this.#start()
    return this
  }

  /** Waits for the next batch. */
  async next(): Promise<IteratorResult<readonly Buffer[], undefined>> {
    while (this.#batch.bytes === 0 && this.#end === undefined && !this.#over) await this.#wait()
    if (this.#batch.bytes === 0 || this.#over) return this.return()
    const value = this.#batch.buffers()
    this.#batch = new Batch()
    if (this.#end === undefined) this.#source.resume()
    return { done: false, value }
  }

  /** Ends the iteration. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#over = true
    this.#options.budget.remove(this)
    return { done: true, value: undefined }
  }

  readable(): Readable {
    return readableOf(this)
  }

  #start(): void {
    if (this.#started) throw new Error('A body can be read only once')
    this.#started = true
    this.#options.budget.add(this)
    if (this.#end !== undefined) return this.#collect()
    // An HTTP/2 stream without bytes ends by itself.
    if (this.#source.readableEnded) return this.#onEnd()
    this.#source.on('data', this.#onData)
    this.#source.on('end', this.#onEnd)
    this.#onStart()
  }

  #wait(): Promise<void> {
    this.#waitingSince = performance.now()
    if (this.#idleTimer === undefined) this.#watch()
    return new Promise((resolve) => void this.#wakes.push(resolve))
  }

  /** Serves all waits with one timer. If it fires early, it restarts with the time that is left. */
  #watch(): void {
    const left = this.#options.idleTimeout - this.idleTime()
    if (left <= 0) return this.#finish('stalled')
    this.#idleTimer = setTimeout(() => this.#watch(), left)
  }

  /** Ends the wait for bytes, if there is one. */
  #resume(): void {
    this.#waitingSince = undefined
    for (const wake of this.#wakes.splice(0)) wake()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length
    this.#batch.add(chunk)
    if (this.#batch.bytes >= this.#options.budget.share) this.#source.pause()
    this.#resume()
  }

  readonly #onEnd = (): void => {
    if (this.#stream === undefined) return this.#onGone()
    if (this.size !== undefined) {
      return this.#finish(this.#received === this.size ? 'complete' : 'disconnected')
    }
    // When a Node client cancels, it ends the body and resets the stream a moment later.
    void roundTrip(this.#stream).then(() => this.#finish('complete'))
  }

  readonly #onGone = (): void => {
    const complete = this.#stream === undefined ? this.#request.complete : this.size === 0
    this.#finish(complete ? 'complete' : 'disconnected')
  }

  #finish(end: BodyEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#source.off('data', this.#onData)
    this.#source.off('end', this.#onEnd)
    clearTimeout(this.#idleTimer)
    if (end !== 'complete') this.#source.pause()
    // An HTTP/1 request keeps its unread bytes when it closes; a stream does not.
    if (this.#started || this.#stream !== undefined) this.#collect()
    this.#resume()
    this.#resolveEnded(end)
  }

  /**
   * Takes the bytes that Node has buffered. Call it without a `data` listener, which would get them
   * too.
   */
  #collect(): void {
    if (this.#end === 'overrun') return
    for (let chunk; (chunk = this.#source.read()) !== null;) this.#batch.add(chunk)
  }

  /** Cuts the request off, so that the client notices at once. */
  #cut(): void {
    if (this.#stream === undefined) resetSocket(this.#request.socket)
    // The connection carries other requests, so only the stream is closed.
    else this.#stream.close(cancel)
  }
}

/** Returns `Content-Length`, which Node has validated; 0 when the request has no body at all. */
function bodySize(request: IncomingMessage): number | undefined {
  const { headers } = request
  if (headers['content-length'] !== undefined) return Number(headers['content-length'])
  const stream = http2StreamOf(request)
  if (stream !== undefined) return stream.endAfterHeaders ? 0 : undefined
  return headers['transfer-encoding'] === undefined ? 0 : undefined
}
