import type { AcquireOptions, Lock } from '../../capabilities/locker.js'
import { Lease } from '../../lockers/lease.js'
import { isMissing } from '../disk/unless-missing.js'
import { requesterOf, highest, type LockDirectory } from './lock-directory.js'
import { watchDirectory } from './watch-directory.js'

/** The parts of a {@link FileLock}. */
export interface FileLockOptions {
  readonly directory: LockDirectory
  readonly token: number
  /** The result of {@link LockDirectory.identify} for the file of the acquisition. */
  readonly file: string
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
  readonly #lease: Lease
  readonly #unwatch: () => void
  #beats = 0
  #handled: ReadonlySet<string> = new Set()
  #released: Promise<void> | undefined

  constructor(options: FileLockOptions) {
    const { directory, token, forced, since, lease } = options
    this.token = token
    this.#forced = forced
    this.#options = options
    this.#lease = new Lease({ duration: lease, sentAt: since, renew: () => this.#beat() })
    this.#unwatch = watchDirectory(directory.path, false, (name) => {
      if (name === null || requesterOf(name, token) !== undefined) void this.#respondToRequests()
    })
    // Handles requests from before the watch began, but not before the holder has its lock.
    setImmediate(() => void this.#respondToRequests())
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
    this.#unwatch()
    await this.#lease.stop()
    const { directory, onRelease } = this.#options
    // A lost lock stays unreleased, so that the next holder knows. If writing fails, the lease
    // expires.
    const end = this.#forced ? 'abandoned' : 'released'
    if (held && (await this.#isThere().catch(() => false))) {
      await directory.end(this.token, end).catch(() => {})
    }
    await onRelease()
  }

  /** Writes a heartbeat. Returns whether the lock is still that of this holder. */
  async #beat(): Promise<boolean> {
    const { directory } = this.#options
    try {
      if (!(await this.#isThere())) return false
      await directory.write(this.token, String(++this.#beats))
      const names = await directory.list()
      if (highest(names) !== this.token) return false
      this.#respond(names)
      return true
    } catch (error) {
      if (isMissing(error)) return false
      // Any other failure may be temporary.
      throw error
    }
  }

  /** Returns whether the file at the path of the lock is still its own. */
  async #isThere(): Promise<boolean> {
    const { directory, file } = this.#options
    return (await directory.identify(this.token)) === file
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
}
