import type { AcquireOptions, Lock } from '../capabilities/locker.js'
import { Lease } from './lease.js'
import type { HeldLock, SharedLocks, TakenLock } from './shared-locks.js'

/** The parts of a {@link LeaseLock}. */
export interface LeaseLockParts {
  readonly locks: SharedLocks
  readonly id: string
  readonly lock: TakenLock
  /** When the request that acquired it was sent, by `performance.now()`. */
  readonly sentAt: number
  /** Whether others may have asked for it since. */
  readonly changed: boolean
  /** Milliseconds. */
  readonly lease: number
  /** Milliseconds. */
  readonly pollInterval: number
  readonly requestRelease: AcquireOptions['requestRelease']
  readonly onRelease: () => Promise<void>
}

/** A lock of a storage that several processes share, which its holder renews. */
export class LeaseLock implements Lock {
  readonly token: number
  #forced: boolean
  readonly #parts: LeaseLockParts
  readonly #lease: Lease
  readonly #ended = new AbortController()
  readonly #unwatch: () => void
  /** The last requests that the holder has got. */
  #handled = { writers: 0, readers: 0 }
  #released: Promise<void> | undefined

  constructor(parts: LeaseLockParts) {
    const { locks, id, lock, sentAt, changed, lease, pollInterval } = parts
    this.token = lock.token
    this.#forced = lock.forced
    this.#parts = parts
    const renew = async (options: { readonly signal: AbortSignal }) =>
      this.#respond(await locks.renew(id, lock, options))
    this.#lease = new Lease({ duration: lease, sentAt, renew })
    this.#unwatch = locks.watch?.(id, () => void this.#look()) ?? this.#poll(pollInterval)
    // When the caller has it.
    if (changed) setImmediate(() => void this.#look())
  }

  get lost(): AbortSignal {
    return this.#lease.lost
  }

  get forced(): boolean {
    return this.#forced
  }

  shutOut(): void {
    this.#forced = false
  }

  held(): boolean {
    return this.#lease.held()
  }

  release(): Promise<void> {
    this.#released ??= this.#release(this.held())
    return this.#released
  }

  async #release(held: boolean): Promise<void> {
    const { locks, id, lock, lease, onRelease } = this.#parts
    this.#unwatch()
    this.#ended.abort()
    await this.#lease.stop()
    try {
      // A lost lock stays unreleased, so that the next holder knows.
      const signal = AbortSignal.timeout(Math.ceil(lease))
      if (held) await locks.release(id, lock, this.#forced, { signal })
    } finally {
      await onRelease()
    }
  }

  #poll(interval: number): () => void {
    let looking = false
    const look = async () => {
      if (looking) return
      looking = true
      await this.#look()
      looking = false
    }
    const timer = setInterval(() => void look(), interval).unref()
    return () => clearInterval(timer)
  }

  async #look(): Promise<void> {
    const { locks, id } = this.#parts
    try {
      const found = await locks.look(id, { signal: this.#ended.signal })
      if (!this.held() || this.#respond(found)) return
      // Without a later holder, the next renewal decides.
      if (found !== undefined && found.token > this.token) this.#lease.lose()
    } catch {
      // The next renewal or the next look may succeed.
    }
  }

  /** Handles new requests. Returns whether the lock is still that of this holder. */
  #respond(found: HeldLock | undefined): boolean {
    if (found?.token !== this.token) return false
    const { requestRelease } = this.#parts
    const { writers, readers } = found
    const before = this.#handled
    this.#handled = {
      writers: Math.max(writers, before.writers),
      readers: Math.max(readers, before.readers),
    }
    if (writers > before.writers) void requestRelease('writer')
    if (readers > before.readers) {
      void Promise.resolve(requestRelease('reader')).then((yields) => {
        if (!yields) return this.#decline(readers)
      })
    }
    return true
  }

  async #decline(readers: number): Promise<void> {
    const { locks, id, lock, lease } = this.#parts
    if (!this.held()) return
    const signal = AbortSignal.timeout(Math.ceil(lease))
    await locks.decline(id, lock, readers, { signal }).catch(() => {})
  }
}
