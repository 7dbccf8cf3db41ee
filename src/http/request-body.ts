import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { BodyEnd, IncomingBody, StopReason } from '../capabilities/incoming-body.js'
import { Batch } from './batch.js'
import type { BufferBudget } from './buffer-budget.js'

/** Settings of a {@link RequestBody}. */
export interface RequestBodyOptions {
  readonly budget: BufferBudget
  /** Milliseconds without a byte, while one is waited for, after which the body ends. */
  readonly stallTimeout: number
}

/**
 * The body of a request as it comes from Node: chunks gather while the store is busy and go to it in one batch. The
 * request is paused only when the budget is used up, and the stall clock runs only while bytes are waited for.
 */
export class RequestBody implements IncomingBody {
  readonly #request: IncomingMessage
  readonly #options: RequestBodyOptions
  readonly #onStart: () => void
  readonly #resolveEnded: (end: BodyEnd) => void
  #batch = new Batch()
  #end: BodyEnd | undefined
  #started = false
  /** Whether whoever iterated has had enough. */
  #over = false
  #waitingSince: number | undefined
  readonly #wakes: (() => void)[] = []
  #stallTimer: NodeJS.Timeout | undefined
  readonly size: number | undefined
  readonly ended: Promise<BodyEnd>

  /** `onStart` is called when the first byte is wanted: the moment to answer `Expect: 100-continue`. */
  constructor(request: IncomingMessage, options: RequestBodyOptions, onStart: () => void) {
    this.#request = request
    this.#options = options
    this.#onStart = onStart
    this.size = bodySize(request)
    let resolveEnded!: (end: BodyEnd) => void
    this.ended = new Promise((resolve) => (resolveEnded = resolve))
    this.#resolveEnded = resolveEnded
    request.on('aborted', this.#onGone)
    request.on('close', this.#onGone)
    request.on('error', this.#onGone)
    // Middleware before the handler may have taken the body, or its time.
    if (request.readableEnded && this.size !== 0) {
      throw new Error('Something has read the body before: mount the handler before body parsers')
    }
    if (request.destroyed) this.#onGone()
  }

  idleTime(): number {
    return this.#waitingSince === undefined ? 0 : performance.now() - this.#waitingSince
  }

  stop(reason: StopReason): void {
    if (this.#end !== undefined) return
    this.#finish(reason)
    if (reason === 'released') cut(this.#request.socket)
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly Buffer[], undefined> {
    this.#start()
    return this
  }

  /** The next batch, for whoever iterates. */
  async next(): Promise<IteratorResult<readonly Buffer[], undefined>> {
    while (this.#batch.bytes === 0 && this.#end === undefined && !this.#over) await this.#wait()
    if (this.#batch.bytes === 0 || this.#over) return this.return()
    const value = this.#batch.buffers()
    this.#batch = new Batch()
    if (this.#end === undefined) this.#request.resume()
    return { done: false, value }
  }

  /** Ends the iteration. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#over = true
    this.#options.budget.leave(this)
    return { done: true, value: undefined }
  }

  readable(): Readable {
    return Readable.from(flatten(this), { objectMode: false })
  }

  #start(): void {
    if (this.#started) throw new Error('A body can be read once')
    this.#started = true
    this.#options.budget.join(this)
    if (this.#end !== undefined) return this.#collect()
    this.#request.on('data', this.#onData)
    this.#request.on('end', this.#onEnd)
    this.#onStart()
  }

  #wait(): Promise<void> {
    this.#waitingSince = performance.now()
    if (this.#stallTimer === undefined) this.#watch()
    return new Promise((resolve) => void this.#wakes.push(resolve))
  }

  /** One timer for all waits: when it goes off, it looks how much of the time is left. */
  #watch(): void {
    const left = this.#options.stallTimeout - this.idleTime()
    if (left <= 0) return this.#finish('stalled')
    this.#stallTimer = setTimeout(() => this.#watch(), left)
  }

  /** Ends the wait for bytes, if there is one. */
  #resume(): void {
    this.#waitingSince = undefined
    for (const wake of this.#wakes.splice(0)) wake()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#batch.add(chunk)
    if (this.#batch.bytes >= this.#options.budget.share) this.#request.pause()
    this.#resume()
  }

  readonly #onEnd = (): void => {
    this.#finish(this.#request.complete ? 'complete' : 'disconnected')
  }

  readonly #onGone = (): void => {
    this.#finish(this.#request.complete ? 'complete' : 'disconnected')
  }

  #finish(end: BodyEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#request.off('data', this.#onData)
    this.#request.off('end', this.#onEnd)
    clearTimeout(this.#stallTimer)
    if (end !== 'complete') this.#request.pause()
    if (this.#started) this.#collect()
    this.#resume()
    this.#resolveEnded(end)
  }

  /** Takes what Node has read and nobody has asked for yet. Without a `data` listener, which would get it too. */
  #collect(): void {
    if (this.#end === 'overrun') return
    for (let chunk; (chunk = this.#request.read()) !== null;) this.#batch.add(chunk)
  }
}

async function* flatten(batches: AsyncIterable<readonly Buffer[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield* batch
}

/** A reset tells the client at once; only plain TCP sockets can send one. */
function cut(socket: Socket): void {
  if ('encrypted' in socket || socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}

/** `Content-Length`, which Node has checked; 0 when the request has no body at all, which HTTP/2 tells by its end only. */
function bodySize({ headers, httpVersionMajor }: IncomingMessage): number | undefined {
  if (headers['content-length'] !== undefined) return Number(headers['content-length'])
  return headers['transfer-encoding'] === undefined && httpVersionMajor < 2 ? 0 : undefined
}
