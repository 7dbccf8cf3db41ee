import type { AcquireOptions, Lock } from 'tuskit'
import { Lease } from 'tuskit/store-kit'
import type { LockObject, LockVersion } from './lock-object.js'

/** The parts of an {@link S3Lock}. */
export interface S3LockParts {
  readonly object: LockObject
  /** The version that acquired the lock. */
  readonly version: LockVersion
  readonly forced: boolean
  /** When the request that acquired it was sent, by `performance.now()`. */
  readonly sentAt: number
  /** Milliseconds. */
  readonly lease: number
  /** Milliseconds. */
  readonly pollInterval: number
  readonly requestRelease: AcquireOptions['requestRelease']
  /** Called at the end, with the last version if the lock was released in the storage. */
  readonly onRelease: (version?: LockVersion) => Promise<void>
}

/** How often a release is tried when other processes leave requests at the same time. */
const mostAttempts = 20

/** A lock held by an object, which the holder renews, and in which others leave requests. */
export class S3Lock implements Lock {
  readonly token: number
  #forced: boolean
  readonly #options: S3LockParts
  readonly #lease: Lease
  readonly #poll: NodeJS.Timeout
  readonly #ended = new AbortController()
  #version: LockVersion
  /** The last change of the object, because each one depends on the one before. */
  #changing: Promise<unknown> = Promise.resolve()
  #handled = { writers: 0, readers: 0 }
  #released: Promise<void> | undefined

  constructor(options: S3LockParts) {
    const { version, forced, sentAt, lease, pollInterval } = options
    this.token = version.token
    this.#forced = forced
    this.#options = options
    this.#version = version
    this.#lease = new Lease({
      duration: lease,
      sentAt,
      renew: ({ signal }) => this.#renew(signal),
    })
    this.#poll = setInterval(() => void this.#look(), pollInterval).unref()
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
    clearInterval(this.#poll)
    this.#ended.abort()
    await this.#lease.stop()
    const { lease, onRelease } = this.#options
    const state = this.#forced ? 'abandoned' : 'released'
    let version: LockVersion | undefined
    try {
      // A lost lock stays unreleased, so that the next holder knows.
      if (held) version = await this.#change({ state }, AbortSignal.timeout(lease))
    } finally {
      await onRelease(version)
    }
  }

  /** Returns whether the lock is still that of this holder. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    const version = await this.#change({ beat: this.#version.beat + 1 }, signal)
    if (version !== undefined) this.#respond(version)
    return version !== undefined
  }

  async #look(): Promise<void> {
    try {
      const version = await this.#options.object.read(this.#ended.signal)
      if (version?.token === this.token && this.held()) this.#respond(version)
    } catch {
      // The next renewal or the next look may succeed.
    }
  }

  #respond({ writers, readers }: LockVersion): void {
    const { requestRelease, lease } = this.#options
    if (writers > this.#handled.writers) void requestRelease('writer')
    if (readers > this.#handled.readers) {
      const decline = async (yields: boolean) => {
        if (yields || !this.held()) return
        await this.#change({ declined: readers }, AbortSignal.timeout(lease)).catch(() => {})
      }
      void Promise.resolve(requestRelease('reader')).then(decline)
    }
    this.#handled = { writers, readers }
  }

  /**
   * Changes the object as long as it is that of this acquisition. Returns nothing if it is not.
   */
  #change(change: Partial<LockVersion>, signal: AbortSignal): Promise<LockVersion | undefined> {
    const changing = this.#changing.then(() => this.#changeNow(change, signal))
    this.#changing = changing.catch(() => {})
    return changing
  }

  async #changeNow(
    change: Partial<LockVersion>,
    signal: AbortSignal,
  ): Promise<LockVersion | undefined> {
    const { object } = this.#options
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const version = await object.write(this.#version, { ...this.#version, ...change }, signal)
      if (version !== undefined) return (this.#version = version)
      // Another process has left a request, or taken the lock over.
      const found = await object.read(signal)
      if (found?.token !== this.token || found.state !== 'held') return undefined
      this.#version = found
    }
    return undefined
  }
}
