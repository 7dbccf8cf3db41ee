import type { AcquireOptions, Lock } from '../../capabilities/locker.js'
import { TusError } from '../../errors.js'
import { requesterOf, highest, type LockDirectory } from './lock-directory.js'
import { isMissing } from '../disk/disk-error.js'
import { watchDirectory } from './watch-directory.js'

/** How often the holder shows that it lives, and others look whether it does, as a part of the lease. */
export const beatsAfter = 0.3
// The holder gives up before anybody may judge that it is dead; between two heartbeats, so that the next one
// tells. The rest of the lease is for clocks that do not run at the same speed.
const givesUpAfter = 0.85

/** What a {@link FileLock} is made of. */
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

/** A lock that is held by a file, which shows others that the holder lives. */
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
  #answered: ReadonlySet<string> = new Set()
  #released: Promise<void> | undefined

  constructor(options: FileLockOptions) {
    const { directory, token, forced, since, lease } = options
    this.token = token
    this.#forced = forced
    this.#options = options
    this.#renewed = since
    this.#timer = setInterval(() => this.#tick(), lease * beatsAfter).unref()
    this.#unwatch = watchDirectory(directory.path, false, (name) => {
      if (name === null || requesterOf(name, token) !== undefined) void this.#answerRequests()
    })
    // Requests that came before the watch began; not before the holder has seen its lock.
    setImmediate(() => void this.#answerRequests())
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
    // A lock that was lost stays unreleased: the next holder is told. If writing fails, the lease runs out.
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
      // Too late counts as never: somebody may have judged already.
      if (highest(names) !== this.token || !this.held()) return this.#lose()
      this.#renewed = began
      this.#answer(names)
    } catch (error) {
      if (isMissing(error)) this.#lose()
      // Any other failure may pass; if it does not, the lease runs out.
    }
  }

  async #answerRequests(): Promise<void> {
    const names = await this.#options.directory.list().catch(() => [])
    this.#answer(names)
  }

  #answer(names: readonly string[]): void {
    if (!this.held()) return
    const { directory, requestRelease } = this.#options
    const answered = this.#answered
    this.#answered = new Set(names)
    for (const name of names) {
      const requester = requesterOf(name, this.token)
      if (requester === undefined || answered.has(name)) continue
      const decline = (yields: boolean) => {
        // A reader whose request is gone knows that it was declined.
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
