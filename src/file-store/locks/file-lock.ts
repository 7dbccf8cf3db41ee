import type { AcquireOptions, Lock } from '../../capabilities/locker.js'
import { TusError } from '../../errors.js'
import { requesterOf, highest, type LockDirectory } from './lock-directory.js'
import { isMissing } from '../disk/unless-missing.js'
import { watchDirectory } from './watch-directory.js'

/** The interval of heartbeats, and of checks for them, as a fraction of the lease. */
export const beatsAfter = 0.3
// The holder treats the lock as lost at 85 % of the lease, before others may declare it dead. 0.85
// lies between two heartbeats, so that the next one notices. The rest allows for clocks of
// different speed.
const givesUpAfter = 0.85

/** The parts of a {@link FileLock}. */
export interface FileLockOptions {
  readonly directory: LockDirectory
  readonly token: number
  readonly forced: boolean
  /** When the acquisition began, by `performance.now()`. */
  readonly since: number
  /** Milliseconds. */
  readonly lease: number
  readonly requestRelease: AcquireOptions['requestRelease']
  readonly onRelease: () => Promise<void>
}

/** A lock held by a file, whose heartbeats show others that the holder is alive. */
export class FileLock implements Lock {
  readonly token: number
  #forced: boolean
  readonly #options: FileLockOptions
  readonly #lost = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #unwatch: () => void
  #renewed: number
  #beats = 0
  #beating: Promise<void> | undefined
  #handled: ReadonlySet<string> = new Set()
  #released: Promise<void> | undefined

  constructor(options: FileLockOptions) {
    const { directory, token, forced, since, lease } = options
    this.token = token
    this.#forced = forced
    this.#options = options
    this.#renewed = since
    this.#timer = setInterval(() => this.#tick(), lease * beatsAfter).unref()
    this.#unwatch = watchDirectory(directory.path, false, (name) => {
      if (name === null || requesterOf(name, token) !== undefined) void this.#respondToRequests()
    })
    // Handles requests from before the watch began, but not before the holder has its lock.
    setImmediate(() => void this.#respondToRequests())
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  get forced(): boolean {
    return this.#forced
  }

  shutOut(): void {
    this.#forced = false
  }

  held(): boolean {
    return (
      this.#released === undefined &&
      !this.lost.aborted &&
      performance.now() - this.#renewed < this.#options.lease * givesUpAfter
    )
  }

  release(): Promise<void> {
    this.#released ??= this.#release(this.held())
    return this.#released
  }

  async #release(held: boolean): Promise<void> {
    this.#stop()
    await this.#beating
    const { directory, onRelease } = this.#options
    // A lost lock stays unreleased, so that the next holder knows. If writing fails, the lease
    // expires.
    const end = this.#forced ? 'abandoned' : 'released'
    if (held) await directory.end(this.token, end).catch(() => {})
    await onRelease()
  }

  #tick(): void {
    if (!this.held()) return this.#lose()
    this.#beating ??= this.#beat().finally(() => (this.#beating = undefined))
  }

  async #beat(): Promise<void> {
    const { directory } = this.#options
    const began = performance.now()
    try {
      await directory.write(this.token, String(++this.#beats))
      const names = await directory.list()
      if (this.#released) return
      // A late heartbeat does not count: another process may have taken the lock over.
      if (highest(names) !== this.token || !this.held()) return this.#lose()
      this.#renewed = began
      this.#respond(names)
    } catch (error) {
      if (isMissing(error)) this.#lose()
      // Any other failure may be temporary. If it is not, the lease expires.
    }
  }

  async #respondToRequests(): Promise<void> {
    const names = await this.#options.directory.list().catch(() => [])
    this.#respond(names)
  }

  #respond(names: readonly string[]): void {
    if (!this.held()) return
    const { directory, requestRelease } = this.#options
    const handled = this.#handled
    this.#handled = new Set(names)
    for (const name of names) {
      const requester = requesterOf(name, this.token)
      if (requester === undefined || handled.has(name)) continue
      const decline = (yields: boolean) => {
        // A missing request shows the reader that it was declined.
        if (!yields && requester === 'reader') directory.remove([name]).catch(() => {})
      }
      void Promise.resolve(requestRelease(requester)).then(decline)
    }
  }

  #lose(): void {
    if (this.#released) return
    this.#stop()
    this.#lost.abort(new TusError('ERR_LOCK_LOST'))
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#unwatch()
  }
}
