import { randomUUID } from 'node:crypto'
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AcquireOptions, Lock, LockRequester, Locker } from '../capabilities/locker.js'
import { TusError } from '../errors.js'
import { Alarm } from '../lockers/alarm.js'
import { MemoryLocker } from '../lockers/memory-locker.js'
import { checkOptions, must } from '../check-options.js'
import type { StoreComposer } from '../store-composer.js'
import { renewsAfter } from '../lockers/lease.js'
import { isFull } from '../store-kit/storage-error.js'
import { isUploadId } from '../upload.js'
import { Directory } from './disk/directory.js'
import { directoryRules, type DirectoryOptions } from './disk/directory-options.js'
import { FileLock } from './locks/file-lock.js'
import {
  requesterOf,
  endIn,
  highest,
  LockDirectory,
  type LockView,
} from './locks/lock-directory.js'
import { LockFloor } from './locks/lock-floor.js'
import { unlessMissing } from './disk/unless-missing.js'
import { watchDirectory } from './locks/watch-directory.js'

/** Options of {@link FileLocker}. */
export interface FileLockerOptions extends Omit<DirectoryOptions, 'durability'> {
  /**
   * The directory that holds the locks, in its subdirectory `.locks`. It can be the directory of a
   * `FileStore`, and then the other options of the directory should be the same too. All processes
   * must use the same directory. It is created and identified like that of a `FileStore`.
   */
  readonly directory: string
  /**
   * Milliseconds after which a holder without a heartbeat loses the lock. It must be the same in
   * all processes. Holders send three heartbeats in that time. An upload stays locked for this time
   * after its process was killed.
   *
   * @default 10000
   */
  readonly lease?: number
}

/**
 * Locks for several processes that share a disk: first come, first served within a process, and in
 * no particular order between them.
 *
 * A holder renews its lease. Others take the lock over when they see no renewal for a whole lease,
 * by their own monotonic clocks. No process ids, links or times of day are involved. A process that
 * was suspended past its lease knows at once that it no longer holds the lock.
 *
 * Processes wake each other with `fs.watch`. Where that does not work, as on network file systems,
 * they poll every 0.3 leases.
 *
 * The files of unused locks are removed from time to time; see {@link FileLocker.prune}.
 */
export class FileLocker implements Locker {
  readonly #path: string
  readonly #directory: Directory
  readonly #lease: number
  readonly #floor: LockFloor
  readonly #turns = new MemoryLocker()
  readonly #held = new Set<string>()
  readonly #sightings = new Map<string, Sighting>()
  #releases = 0

  constructor(options: FileLockerOptions) {
    const { durability: _, ...rules } = directoryRules
    const checked = checkOptions('FileLocker', options, { ...rules, lease: must.beMilliseconds })
    this.#directory = new Directory(checked)
    this.#path = join(this.#directory.path, '.locks')
    this.#lease = checked.lease ?? 10_000
    this.#floor = new LockFloor(join(this.#path, '.floor'), this.#directory)
  }

  /** Fills the locker slot. */
  useIn(composer: StoreComposer): void {
    composer.useLocker(this)
  }

  async acquire(id: string, { signal, requestRelease }: AcquireOptions): Promise<Lock> {
    const directory = this.#directoryOf(id)
    let askedEarly = false
    const turn = await this.#turns.acquire(id, {
      signal,
      requestRelease: (requester) => {
        if (this.#held.has(id)) return requestRelease(requester)
        askedEarly ||= requester === 'writer'
        return requester === 'writer'
      },
    })
    try {
      const acquired = await this.#directory.use(() => this.#take(directory, signal))
      this.#held.add(id)
      const lock = new FileLock({
        ...acquired,
        directory,
        lease: this.#lease,
        requestRelease,
        onRelease: async () => {
          this.#held.delete(id)
          await turn.release()
          if (++this.#releases % 1000 === 0) this.prune().catch(() => {})
        },
      })
      if (askedEarly) {
        setImmediate(() => {
          if (lock.held()) void requestRelease('writer')
        })
      }
      return lock
    } catch (error) {
      await turn.release()
      throw error
    }
  }

  async settle(id: string, { signal }: { readonly signal: AbortSignal }): Promise<'free' | 'held'> {
    const directory = this.#directoryOf(id)
    signal.throwIfAborted()
    if (this.#held.has(id) && (await this.#turns.settle(id, { signal })) === 'held') return 'held'
    const free = () => this.#untilFree(directory, 'reader', signal)
    const vacancy = await this.#directory.use(free)
    return vacancy === 'declined' ? 'held' : 'free'
  }

  /**
   * Removes the files of all locks without a holder, except those of one lock: on a full disk,
   * their space is needed to take another lock. You can call it at any time from any process. Each
   * locker calls it after every 1,000th release.
   */
  async prune(): Promise<void> {
    await this.#directory.use(() => this.#prune(1))
  }

  /**
   * Removes the files of unused locks, except those of `spared` locks. Returns how many it removed.
   */
  async #prune(spared: number): Promise<number> {
    const ids = ((await unlessMissing(readdir(this.#path))) ?? []).filter(isUploadId)
    const unused: { readonly directory: LockDirectory; readonly names: readonly string[] }[] = []
    for (const id of ids) {
      const directory = this.#directoryOf(id)
      const { end, names } = await directory.look()
      if (end === 'released') unused.push({ directory, names })
    }
    const removed = unused.slice(spared)
    if (removed.length === 0) return 0
    // Raised first, so that a process that creates a removed number again finds it too low.
    await this.#floor.raise(Math.max(...removed.map(({ names }) => highest(names))))
    for (const { directory, names } of removed) {
      await directory.remove(names)
      // Fails when the lock has been taken meanwhile.
      await rmdir(directory.path).catch(() => {})
    }
    return removed.length
  }

  /**
   * Creates the file of the next number. `wx` lets one process succeed, but the number may have
   * been created and removed since this process looked. Then there is a higher one, or the floor
   * has reached it. The floor is read before the first look and after the second, so of two
   * processes that start from different floors, one notices.
   */
  async #take(directory: LockDirectory, signal: AbortSignal) {
    let pruned = false
    for (;;) {
      const floor = await this.#floor.read()
      const vacancy = await this.#untilFree(directory, 'writer', signal)
      if (vacancy === 'declined') continue
      const since = performance.now()
      const token = Math.max(vacancy.number, floor) + 1
      try {
        if (!(await directory.create(token))) continue
      } catch (error) {
        // The lock may be needed to free space, so on a full disk it uses the space of unused ones.
        if (pruned || !isFull(error) || (await this.#prune(0)) === 0) throw error
        pruned = true
        continue
      }
      const { forced } = vacancy
      let taken = false
      try {
        const names = await directory.list()
        // Another process may have created and ended this number since the first look.
        const isFirst = highest(names) === token && endIn(names, token) === undefined
        const file = await directory.identify(token)
        if (isFirst && file && (await this.#floor.read()) < token && !signal.aborted) {
          await directory.remove(names.filter((name) => isObsolete(name, vacancy.number, token)))
          taken = true
          return { token, file, forced, since }
        }
      } finally {
        if (!taken) await directory.end(token, forced ? 'abandoned' : 'released').catch(() => {})
      }
    }
  }

  /** Waits until the lock is free, and asks each holder to release it. */
  async #untilFree(
    directory: LockDirectory,
    requester: LockRequester,
    signal: AbortSignal,
  ): Promise<Vacancy | 'declined'> {
    for (;;) {
      signal.throwIfAborted()
      const { number, end } = await directory.look()
      if (end !== undefined) return { number, forced: end === 'abandoned' }
      const outcome = await this.#outwait(directory, number, requester, signal)
      if (outcome === 'expired') return { number, forced: true }
      if (outcome === 'declined') return 'declined'
    }
  }

  /** Waits until the acquisition of this number is over. */
  async #outwait(
    directory: LockDirectory,
    number: number,
    requester: LockRequester,
    signal: AbortSignal,
  ): Promise<'over' | 'expired' | 'declined'> {
    const alarm = new Alarm((wake) => watchDirectory(directory.path, true, wake))
    let request: string | undefined
    try {
      request = await directory.ask(number, requester, randomUUID())
      for (;;) {
        const now = performance.now()
        const view = await directory.look()
        if (view.number !== number || view.end !== undefined) return 'over'
        if (!view.names.includes(request)) return 'declined'
        const { since } = this.#sight(directory, view)
        if (now - since >= this.#lease) return 'expired'
        await alarm.next(Math.min(this.#lease * renewsAfter, since + this.#lease - now), signal)
      }
    } finally {
      alarm.close()
      if (requester === 'reader' && request !== undefined) await directory.remove([request])
    }
  }

  /** Returns the last heartbeat, and since when this process has seen no newer one. */
  #sight({ path }: LockDirectory, { number, beat }: LockView): Sighting {
    const before = this.#sightings.get(path)
    if (before?.number === number && before.beat === beat) return before
    const sighting = { number, beat, since: performance.now() }
    this.#sightings.delete(path)
    this.#sightings.set(path, sighting)
    const [oldest] = this.#sightings.keys()
    if (oldest !== undefined && this.#sightings.size > mostSightings) {
      this.#sightings.delete(oldest)
    }
    return sighting
  }

  #directoryOf(id: string): LockDirectory {
    if (!isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
    return new LockDirectory(`${this.#path}/${id}`, this.#directory)
  }
}

/** The number of the last acquisition, which is over, and whether its holder may not know. */
interface Vacancy {
  readonly number: number
  readonly forced: boolean
}

/**
 * A heartbeat, and when it was first seen, by `performance.now()`. Kept from one wait to the next,
 * because requests and sweeps wait for less than a lease, so a single one never sees that a holder
 * is dead.
 */
interface Sighting {
  readonly number: number
  readonly beat: string
  readonly since: number
}

const mostSightings = 1000

/** The last two numbers stay, so that a process that creates an old one again sees a higher one. */
function isObsolete(name: string, previous: number, current: number): boolean {
  const number = Number.parseInt(name, 10)
  return requesterOf(name, number) === undefined ? number < previous : number < current
}
