import type { AcquireOptions, Lock, Locker } from '../capabilities/locker.js'
import type { ReadOptions } from '../capabilities/call-options.js'
import type { StoreComposer } from '../store-composer.js'
import { untilAborted } from './until-aborted.js'

/**
 * Locks for the uploads of one process: first come, first served, without polling and without
 * timers. A lock is never lost here, so `lost` never aborts and `forced` is always false.
 *
 * Ids without a holder use no memory. Processes that share a store need a locker that they all
 * share, such as `FileLocker`.
 */
export class MemoryLocker implements Locker {
  readonly #queues = new Map<string, Queue>()

  /** Fills the locker slot. */
  useIn(composer: StoreComposer): void {
    composer.useLocker(this)
  }

  /**
   * Takes the lock after all earlier callers. The holder is asked to release it when the wait
   * begins. Each later holder is asked when its turn begins and another caller still waits.
   */
  acquire(id: string, options: AcquireOptions): Promise<Lock> {
    if (options.signal.aborted) return Promise.reject(options.signal.reason)
    const queue = this.#queues.get(id)
    if (queue !== undefined) return queue.wait(options)
    const created = new Queue(options.requestRelease, () => this.#queues.delete(id))
    this.#queues.set(id, created)
    return Promise.resolve(created.holder)
  }

  async settle(id: string, options: ReadOptions): Promise<'free' | 'held'> {
    for (;;) {
      const holder = this.#queues.get(id)?.holder
      if (holder === undefined) return 'free'
      if (!(await holder.yieldsToReader(options.signal))) return 'held'
      await holder.untilReleased(options.signal)
    }
  }
}

type RequestRelease = AcquireOptions['requestRelease']

interface Waiter {
  readonly requestRelease: RequestRelease
  readonly resolve: (lock: Lock) => void
}

/**
 * The holder of one lock and the callers that wait for it, in order. Exists while the lock is held.
 */
class Queue {
  #holder: MemoryLock
  readonly #waiters = new Set<Waiter>()
  readonly #onFree: () => void

  constructor(requestRelease: RequestRelease, onFree: () => void) {
    this.#onFree = onFree
    this.#holder = new MemoryLock(requestRelease, () => this.#advance())
  }

  get holder(): MemoryLock {
    return this.#holder
  }

  wait({ requestRelease, signal }: AcquireOptions): Promise<Lock> {
    return untilAborted<Lock>(signal, (resolve) => {
      const waiter = { requestRelease, resolve }
      this.#waiters.add(waiter)
      void this.#holder.requestRelease('writer')
      return () => this.#waiters.delete(waiter)
    })
  }

  #advance(): void {
    const [next] = this.#waiters
    if (next === undefined) return this.#onFree()
    this.#waiters.delete(next)
    const lock = new MemoryLock(next.requestRelease, () => this.#advance())
    this.#holder = lock
    next.resolve(lock)
    // After the new holder has seen its lock, so that it can act on the request.
    queueMicrotask(() => {
      if (lock.held() && this.#waiters.size > 0) void lock.requestRelease('writer')
    })
  }
}

// One count for all locks: a token never repeats, and nothing need be kept for an id that is free.
let lastToken = 0

class MemoryLock implements Lock {
  readonly token = ++lastToken
  readonly forced = false
  readonly #lost = new AbortController()
  readonly requestRelease: RequestRelease
  #onRelease: (() => void) | undefined
  readonly #observers = new Set<() => void>()

  constructor(requestRelease: RequestRelease, onRelease: () => void) {
    this.requestRelease = requestRelease
    this.#onRelease = onRelease
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  shutOut(): void {}

  held(): boolean {
    return this.#onRelease !== undefined
  }

  async release(): Promise<void> {
    const onRelease = this.#onRelease
    this.#onRelease = undefined
    onRelease?.()
    for (const observe of this.#observers) observe()
  }

  yieldsToReader(signal: AbortSignal): Promise<boolean> {
    return untilAborted<boolean>(signal, (resolve) => {
      void Promise.resolve(this.requestRelease('reader')).then(resolve)
      return () => {}
    })
  }

  untilReleased(signal: AbortSignal): Promise<void> {
    return untilAborted<void>(signal, (resolve) => {
      this.#observers.add(resolve)
      // The holder may have released the lock while it was asked.
      if (!this.held()) resolve()
      return () => this.#observers.delete(resolve)
    })
  }
}
