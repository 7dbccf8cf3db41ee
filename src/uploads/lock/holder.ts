import diagnostics from 'node:diagnostics_channel'
import type { IncomingBody } from '../../capabilities/incoming-body.js'
import type { Lock, LockRequester } from '../../capabilities/locker.js'
import { TusError, type ErrorCode } from '../../errors.js'
import type { Upload } from '../../upload.js'
import { inBackground, type Engine } from '../engine.js'
import { signOfLife } from './sign-of-life.js'
import { withTimeout } from '../stores/with-timeout.js'

const lockChannel = diagnostics.channel('tuskit:lock')

/** How to wait for a lock. */
export interface WaitOptions {
  readonly milliseconds: number
  /** What the wait ends with. */
  readonly late: ErrorCode
}

/**
 * Runs `operation` under the lock of an upload, which is released when it ends and everything it handed to
 * {@link Holder.keep} has settled.
 */
export async function withUploadLock<T>(
  engine: Engine,
  id: string,
  operation: (holder: Holder) => Promise<T>,
  wait: WaitOptions = { milliseconds: engine.settings.lockTimeout, late: 'ERR_UPLOAD_LOCKED' },
): Promise<T> {
  const holder = await acquire(engine, id, wait)
  engine.holders.set(id, holder)
  try {
    return await operation(holder)
  } finally {
    const released = holder.release()
    inBackground(engine, 'The release of a lock', released)
    if (!holder.keeps) await released
  }
}

async function acquire(engine: Engine, id: string, wait: WaitOptions): Promise<Holder> {
  const started = performance.now()
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(new TusError(wait.late)), wait.milliseconds)
  const holder = new Holder(engine, id)
  try {
    await holder.acquire(waiting.signal)
  } finally {
    clearTimeout(timer)
    if (lockChannel.hasSubscribers) {
      lockChannel.publish({ uploadId: id, milliseconds: performance.now() - started })
    }
  }
  return holder
}

/**
 * What a holder does: prepare what comes next, take bytes from a client, work for a bounded time to store them and to
 * finish, join uploads for as long as it takes, or wait for a store that does not answer.
 */
export type Phase = 'preparing' | 'receiving' | 'working' | 'concatenating' | 'hanging'

/** A turn of the lock of one upload: what the holder does, and what it answers to those who want the lock. */
export class Holder {
  readonly #engine: Engine
  readonly #id: string
  readonly #abort = new AbortController()
  readonly #kept: Promise<unknown>[] = []
  readonly #resolveReleased: () => void
  readonly #prepared: Promise<void>
  #resolvePrepared!: () => void
  /** Resolves when the lock is released. */
  readonly released: Promise<void>
  #lock: Lock | undefined
  #body: IncomingBody | undefined
  #wanted = false
  /** Calls of stores that hang. */
  #hanging = 0
  #upload: Upload | undefined
  #tell: ((offset: number) => void) | undefined
  /** The last offset that counts, while bytes come in. */
  durable: number | undefined
  /** What the holder does decides what readers are told: see {@link Holder.requestRelease}. */
  phase: Phase = 'preparing'

  constructor(engine: Engine, id: string) {
    this.#engine = engine
    this.#id = id
    let resolveReleased!: () => void
    this.released = new Promise((resolve) => (resolveReleased = resolve))
    this.#resolveReleased = resolveReleased
    this.#prepared = new Promise((resolve) => (this.#resolvePrepared = resolve))
  }

  async acquire(signal: AbortSignal): Promise<void> {
    const requestRelease = (requester: LockRequester) => this.requestRelease(requester)
    this.#lock = await this.#engine.stores.locker.acquire(this.#id, { signal, requestRelease })
    this.#lock.lost.addEventListener('abort', this.#onLost, { once: true })
    if (this.#lock.lost.aborted) this.#onLost()
  }

  readonly #onLost = (): void => {
    this.#abort.abort(new TusError('ERR_LOCK_LOST'))
    this.#body?.stop('released')
  }

  get lock(): Lock {
    return this.#lock!
  }

  /** The record as the holder last read or wrote it. Under the lock this is the truth. */
  get upload(): Upload {
    return this.#upload!
  }

  set upload(upload: Upload) {
    this.#upload = upload
  }

  /** Aborts when the storage does not belong to the holder any more. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /**
   * Responds to a request for the lock, with whether the holder lets go soon. A writer ends the body that comes in. For
   * a reader the holder first finds out whether its client lives.
   */
  requestRelease(requester: LockRequester): boolean | Promise<boolean> {
    if (requester === 'reader') return this.#yieldToReader()
    this.#wanted = true
    if (this.phase === 'receiving') this.#body?.stop('released')
    return true
  }

  /**
   * The reading rule: a reader waits for a holder that works for a bounded time (storing, finishing), and ends a request
   * that has stalled. It leaves alone a request whose client lives, one that only prepares, and a long concatenation.
   */
  async #yieldToReader(): Promise<boolean> {
    const { settleTimeout } = this.#engine.settings
    const deadline = performance.now() + settleTimeout
    if (this.phase === 'preparing') {
      // A client that is gone may have left a body to be received.
      const late = () => new TusError('ERR_UPLOAD_BUSY')
      await withTimeout(settleTimeout, this.#prepared, late).catch(() => {})
    }
    if (this.#endStalled()) return true
    if (this.phase === 'receiving') {
      await signOfLife(this.#body!, deadline - performance.now())
      if (this.#endStalled()) return true
    }
    return this.phase === 'working'
  }

  /** Ends the body if its client has sent nothing for too long. Returns whether it did. */
  #endStalled(): boolean {
    if (this.phase !== 'receiving' || this.#body === undefined) return false
    if (this.#body.idleTime() < this.#engine.settings.takeoverAfter) return false
    this.#body.stop('released')
    return true
  }

  /**
   * From now on the holder takes bytes from `body`, which whoever wants the lock may end. `tell` hears of each offset that
   * counts.
   */
  receive(body: IncomingBody, offset: number, tell?: (offset: number) => void): void {
    this.#body = body
    this.#tell = tell
    this.durable = offset
    this.phase = 'receiving'
    this.#resolvePrepared()
    if (this.#wanted) body.stop('released')
    else if (this.#engine.stopping) body.stop('shutdown')
    void body.ended.then(() => {
      if (this.phase === 'receiving') this.phase = this.#hanging > 0 ? 'hanging' : 'working'
    })
  }

  /** More bytes count. */
  advance(offset: number): void {
    this.durable = offset
    this.#tell?.(offset)
  }

  /** Ends what comes in, for the shutdown of the server. */
  shutdown(): void {
    this.#body?.stop('shutdown')
  }

  /** Takes the storage away from a store that does not come to an end. */
  abort(reason: Error): void {
    this.#abort.abort(reason)
  }

  /** The lock is held until `work` has settled, though the operation may end before. */
  keep(work: Promise<unknown>): void {
    this.#kept.push(work.catch(() => {}))
  }

  /**
   * A store did not do its work in time: the operation ends before it. Readers need not wait for it, and nobody hears of
   * what it still does. While bytes come in, another request's note in the record may hang, and these go on.
   */
  hang(work: Promise<unknown>): void {
    this.#hanging++
    this.keep(work.finally(() => this.#hanging--))
    if (this.phase === 'receiving') return
    this.phase = 'hanging'
    this.#tell = undefined
    this.#resolvePrepared()
  }

  get keeps(): boolean {
    return this.#kept.length > 0
  }

  /** Releases the lock, as soon as nothing needs it any more. Never rejects. */
  async release(): Promise<void> {
    if (this.phase === 'preparing') this.phase = 'working'
    this.#resolvePrepared()
    // More may come while these settle.
    for (const work of this.#kept) await work
    this.lock.lost.removeEventListener('abort', this.#onLost)
    const { holders, log } = this.#engine
    if (holders.get(this.#id) === this) holders.delete(this.#id)
    try {
      await this.#engine.stores.locker.release(this.#id, this.lock)
    } catch (error) {
      log.error('A lock could not be released', { uploadId: this.#id, error })
    }
    this.#resolveReleased()
  }
}
