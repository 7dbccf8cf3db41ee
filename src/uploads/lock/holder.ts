import type { IncomingBody } from '../../capabilities/incoming-body.js'
import type { Lock, LockRequester } from '../../capabilities/locker.js'
import { TusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import { withTimeout } from '../../with-timeout.js'
import { signOfLife } from './sign-of-life.js'

/**
 * The work of a holder: prepare what comes next, receive bytes from a client, work for a bounded
 * time to store them and to finish, concatenate uploads for as long as it takes, or wait for a
 * store that hangs.
 */
export type Phase = 'preparing' | 'receiving' | 'working' | 'concatenating' | 'hanging'

/** The parts of an engine that a holder needs. */
export interface HolderContext {
  readonly settings: { readonly settleTimeout: number; readonly takeoverAfter: number }
  readonly stopping: boolean
}

interface ProgressListener {
  onProgress?(offset: number): void
}

/** One turn of the lock of an upload: what its holder does, and when it releases it. */
export class Holder {
  readonly #context: HolderContext
  readonly #abort = new AbortController()
  readonly #kept: Promise<unknown>[] = []
  readonly #prepared: Promise<void>
  #resolvePrepared!: () => void
  #resolveReleased!: () => void
  /** Resolves when the lock is released. */
  readonly released: Promise<void>
  #lock: Lock | undefined
  #body: IncomingBody | undefined
  #wanted = false
  /** Calls of stores that hang. */
  #hanging = 0
  #upload: Upload | undefined
  /** The offset of the first byte of the body. */
  #from = 0
  #awaitsVerification = false
  #durable: number | undefined
  #listener: ProgressListener | undefined
  #phase: Phase = 'preparing'

  constructor(context: HolderContext) {
    this.#context = context
    this.released = new Promise((resolve) => (this.#resolveReleased = resolve))
    this.#prepared = new Promise((resolve) => (this.#resolvePrepared = resolve))
  }

  /** Takes over a lock that was acquired. */
  own(lock: Lock): void {
    this.#lock = lock
    lock.lost.addEventListener('abort', this.#onLost, { once: true })
    if (lock.lost.aborted) this.#onLost()
  }

  readonly #onLost = (): void => {
    this.#abort.abort(new TusError('ERR_LOCK_LOST'))
    this.#body?.stop('released')
  }

  get lock(): Lock {
    return this.#lock!
  }

  /** The record as the holder last read or wrote it. Under the lock, this is the truth. */
  get upload(): Upload {
    return this.#upload!
  }

  /** Sets the record that was read or written. Only `record/` calls it. */
  remember(upload: Upload): void {
    this.#upload = upload
  }

  /** The last offset that counts, while bytes come in. */
  get durable(): number | undefined {
    return this.#durable
  }

  /** Decides whether readers wait: see {@link Holder.requestRelease}. */
  get phase(): Phase {
    return this.#phase
  }

  /** Aborts when the holder may no longer use the storage. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /**
   * Handles a request for the lock and returns whether the holder will release it soon. For a
   * writer, the holder ends the body that comes in. For a reader, it first finds out whether its
   * own client is alive.
   */
  readonly requestRelease = (requester: LockRequester): boolean | Promise<boolean> => {
    if (requester === 'reader') return this.#yieldToReader()
    this.#wanted = true
    if (this.#phase === 'receiving') this.#body?.stop('released')
    return true
  }

  /**
   * The reading rule: a reader waits for a holder that works for a bounded time (storing,
   * finishing), and ends a request that has stalled. It does not disturb a request whose client
   * is alive, one that is still preparing, or a long concatenation.
   *
   * While a store holds bytes back, the offset is outdated as soon as the next writer ends the
   * request. So the reader waits longer until it knows whether the client has stalled.
   */
  async #yieldToReader(): Promise<boolean> {
    const { settleTimeout, takeoverAfter } = this.#context.settings
    const deadline = performance.now() + settleTimeout
    if (this.#phase === 'preparing') {
      // A client that is gone may have left bytes that are still to be received.
      const timeoutError = () => new TusError('ERR_UPLOAD_BUSY')
      await withTimeout(settleTimeout, this.#prepared, timeoutError).catch(() => {})
    }
    if (this.#endStalled()) return true
    if (this.#phase === 'receiving') {
      const body = this.#body!
      const isSilent = await signOfLife(body, deadline - performance.now(), takeoverAfter)
      if (isSilent && this.#holdsBack()) await signOfLife(body, takeoverAfter, takeoverAfter)
      if (this.#endStalled()) return true
    }
    return this.#phase === 'working'
  }

  /** Whether bytes came that will count when the body ends, but do not yet. */
  #holdsBack(): boolean {
    return !this.#awaitsVerification && this.#from + this.#body!.received > this.#durable!
  }

  /** Ends the body if its client has sent nothing for too long. Returns whether it ended it. */
  #endStalled(): boolean {
    if (this.#phase !== 'receiving' || this.#body === undefined) return false
    if (this.#body.idleTime() < this.#context.settings.takeoverAfter) return false
    this.#body.stop('released')
    return true
  }

  /**
   * Starts to receive `body`; a request for the lock may end it. `listener` gets each offset that
   * counts. With `awaitsVerification`, no byte counts before the body is complete.
   */
  receive(
    body: IncomingBody,
    offset: number,
    listener?: ProgressListener,
    awaitsVerification = false,
  ): void {
    this.#body = body
    this.#listener = listener
    this.#from = offset
    this.#awaitsVerification = awaitsVerification
    this.#durable = offset
    this.#phase = 'receiving'
    this.#resolvePrepared()
    if (this.#wanted) body.stop('released')
    else if (this.#context.stopping) body.stop('shutdown')
    void body.ended.then(() => {
      if (this.#phase === 'receiving') this.#phase = this.#hanging > 0 ? 'hanging' : 'working'
    })
  }

  /** Notes that more bytes count. */
  advance(offset: number): void {
    this.#durable = offset
    this.#listener?.onProgress?.(offset)
  }

  /** Concatenates: for as long as `work` takes, readers do not wait for the holder. */
  async concatenate(work: () => Promise<void>): Promise<void> {
    this.#phase = 'concatenating'
    await work()
    this.#phase = 'working'
  }

  /** Ends the body that comes in, because the server stops. */
  shutdown(): void {
    this.#body?.stop('shutdown')
  }

  /** Takes the storage away from a store that does not settle. */
  abort(reason: Error): void {
    this.#abort.abort(reason)
  }

  /** Holds the lock until `work` has settled, even if the operation ends before. */
  keep(work: Promise<unknown>): void {
    this.#kept.push(work.catch(() => {}))
  }

  /**
   * Notes that a call of a store exceeded its time limit and may outlive the operation. Readers
   * need not wait for it, and its later progress is not reported. A body that is being received
   * continues, because the call may be another request's note in the record.
   */
  hang(work: Promise<unknown>): void {
    this.#hanging++
    this.keep(work.finally(() => this.#hanging--))
    if (this.#phase === 'receiving') return
    this.#phase = 'hanging'
    this.#listener = undefined
    this.#resolvePrepared()
  }

  /** Whether anything was kept, see {@link Holder.keep}. */
  get keeps(): boolean {
    return this.#kept.length > 0
  }

  /** Resolves when nothing needs the lock any longer. */
  async settled(): Promise<void> {
    if (this.#phase === 'preparing') this.#phase = 'working'
    this.#resolvePrepared()
    // More may come while these settle.
    for (const work of this.#kept) await work
    this.lock.lost.removeEventListener('abort', this.#onLost)
  }

  /** Notes that the lock is released. */
  end(): void {
    this.#resolveReleased()
  }
}
