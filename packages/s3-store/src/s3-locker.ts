import { setTimeout as sleep } from 'node:timers/promises'
import {
  isUploadId,
  TusError,
  type AcquireOptions,
  type Lifecycle,
  type Lock,
  type Locker,
  type LockRequester,
  type ReadOptions,
  type StoreComposer,
} from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { checkOptions, must } from 'tuskit/store-kit'
import { Bucket } from './bucket/bucket.js'
import { openBucket } from './open-bucket.js'
import { LockObject, type LockContent, type LockVersion } from './locks/lock-object.js'
import { S3Lock } from './locks/s3-lock.js'
import { Recent } from './recent.js'
import { sharedRules, type S3PartOptions } from './shared-options.js'

/** Options of {@link S3Locker}. */
export interface S3LockerOptions extends S3PartOptions {
  /**
   * The beginning of the keys of locks. The rest is the id.
   *
   * @default '.tuskit/locks/'
   */
  readonly prefix?: string
  /**
   * Milliseconds after which a holder that does not renew its lock loses it. It must be the same in
   * all processes. A holder renews its lock three times in that time, with a `PutObject` each. An
   * upload stays locked for this time after its process was killed.
   *
   * @default 15000
   */
  readonly lease?: number
  /**
   * Milliseconds after which a holder looks for requests of other processes, and a process that
   * waits looks whether the lock is free, with a `GetObject` each. A lock changes hands within two
   * of them.
   *
   * @default 2000
   */
  readonly pollInterval?: number
}

/** How many locks are remembered after their release, so that this process need not read them. */
const mostReleased = 10_000

/** How many holders of other processes are observed. */
const mostSightings = 10_000

/** Milliseconds between two removals of unused locks. */
const pruneInterval = 3_600_000

/** Milliseconds after which a lock without a holder is unused. */
const unusedAfter = 3_600_000

/** Milliseconds after which any lock is unused that nobody has renewed. */
const deadAfter = 86_400_000

/**
 * Locks for any number of processes that share a bucket: first come, first served within a process,
 * and in no particular order between them.
 *
 * Each lock is an object. All changes depend on its last version, so the service must have
 * conditional writes; without them, `open` fails. Others take a lock over when they see no renewal
 * for a whole lease, by their own monotonic clocks. Requests of other processes are noticed within
 * `pollInterval`.
 *
 * The objects of locks that were not used for an hour are removed; see {@link S3Locker.prune}.
 */
export class S3Locker implements Locker, Lifecycle {
  #bucket: Bucket
  readonly #prefix: string
  readonly #lease: number
  readonly #pollInterval: number
  readonly #turns = new MemoryLocker()
  readonly #held = new Set<string>()
  readonly #released = new Recent<LockVersion>(mostReleased)
  readonly #sightings = new Recent<Sighting>(mostSightings)
  #timer: NodeJS.Timeout | undefined

  constructor(options: S3LockerOptions) {
    const checked = checkOptions<S3LockerOptions>('S3Locker', options, {
      ...sharedRules,
      prefix: must.beText,
      lease: must.beMilliseconds,
      pollInterval: must.beMilliseconds,
    })
    this.#bucket = new Bucket(checked.client, checked.bucket)
    this.#prefix = checked.prefix ?? '.tuskit/locks/'
    // Signals need whole milliseconds.
    this.#lease = Math.ceil(checked.lease ?? 15_000)
    this.#pollInterval = checked.pollInterval ?? 2_000
  }

  /** Fills the slots for locks and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useLocker(this).useLifecycle(this)
  }

  /** Checks that the bucket can be used and that the service has conditional writes. */
  async open(): Promise<void> {
    this.#bucket = await openBucket('S3Locker', this.#bucket, this.#prefix)
    const prune = () => void this.prune().catch(() => {})
    this.#timer = setInterval(prune, pruneInterval).unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
  }

  async acquire(id: string, { signal, requestRelease }: AcquireOptions): Promise<Lock> {
    const object = this.#objectOf(id)
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
      const acquired = await this.#take(id, object, signal)
      this.#held.add(id)
      const lock = new S3Lock({
        ...acquired,
        object,
        lease: this.#lease,
        pollInterval: this.#pollInterval,
        requestRelease,
        onRelease: async (version) => {
          this.#held.delete(id)
          if (version !== undefined) this.#released.set(id, version)
          await turn.release()
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

  async settle(id: string, { signal }: ReadOptions): Promise<'free' | 'held'> {
    const object = this.#objectOf(id)
    signal.throwIfAborted()
    if (this.#held.has(id) && (await this.#turns.settle(id, { signal })) === 'held') return 'held'
    const vacancy = await this.#untilFree(id, object, 'reader', signal)
    return vacancy === 'declined' ? 'held' : 'free'
  }

  /**
   * Removes the objects of locks that nobody has held for an hour, or renewed for a day. Each
   * process does that once an hour.
   */
  async prune(): Promise<void> {
    const signal = new AbortController().signal
    const now = Date.now()
    for await (const { key, modified } of this.#bucket.list(this.#prefix, signal)) {
      const age = now - +modified
      if (age < unusedAfter || !isUploadId(key.slice(this.#prefix.length))) continue
      const object = new LockObject(this.#bucket, key)
      const version = await object.read(signal)
      if (version === undefined || (version.state !== 'released' && age < deadAfter)) continue
      await this.#remove(object, version)
    }
  }

  /** Takes a lock in order to delete its object, unless another process takes it first. */
  async #remove(object: LockObject, version: LockVersion): Promise<void> {
    const sentAt = performance.now()
    const removing = { ...version, token: version.token + 1, state: 'removing', beat: 0 } as const
    const limit = AbortSignal.timeout(Math.ceil(this.#lease / 4))
    const written = await object.write(version, removing, limit)
    // After a lease, another process may have taken it over, and this request would delete that.
    const left = this.#lease / 2 - (performance.now() - sentAt)
    if (written === undefined || left <= 0) return
    await object.delete(AbortSignal.timeout(Math.ceil(left)))
  }

  /** Takes the lock when it is free, or when its holder has not renewed it for a lease. */
  async #take(
    id: string,
    object: LockObject,
    signal: AbortSignal,
  ): Promise<{ version: LockVersion; forced: boolean; sentAt: number }> {
    // Most locks are new, or were held by this process before, so the first look is spared.
    let vacancy: Vacancy | 'declined' = { version: this.#released.get(id), forced: false }
    if (vacancy.version?.state === 'abandoned') vacancy = { ...vacancy, forced: true }
    this.#released.delete(id)
    for (;;) {
      if (vacancy !== 'declined') {
        const { version: before, forced } = vacancy
        const sentAt = performance.now()
        const version = await object.write(before, heldAfter(before), signal)
        if (version !== undefined) return { version, forced, sentAt }
      }
      vacancy = await this.#untilFree(id, object, 'writer', signal)
    }
  }

  /** Waits until the lock is free, and asks each holder to release it. */
  async #untilFree(
    id: string,
    object: LockObject,
    requester: LockRequester,
    signal: AbortSignal,
  ): Promise<Vacancy | 'declined'> {
    /** The acquisition that has been asked, and the number of this request. */
    let asked: { readonly token: number; readonly request: number } | undefined
    for (;;) {
      const version = await object.read(signal)
      if (version === undefined) return { version, forced: false }
      const { state, token } = version
      if (state === 'released') return { version, forced: false }
      if (state === 'abandoned') return { version, forced: true }
      const left = this.#sight(id, version) + this.#lease - performance.now()
      // A process that removes a lock writes nothing else.
      if (left <= 0) return { version, forced: state === 'held' }
      if (state === 'held' && asked?.token !== token) {
        const name = `${requester}s` as const
        const request = version[name] + 1
        const written = await object.write(version, { ...version, [name]: request }, signal)
        // Another process has changed it.
        if (written === undefined) continue
        asked = { token, request }
      }
      if (requester === 'reader' && asked?.token === token && version.declined >= asked.request) {
        return 'declined'
      }
      await sleep(Math.min(this.#pollInterval, left), undefined, { signal }).catch(() => {
        signal.throwIfAborted()
      })
    }
  }

  /** Returns since when this process has seen no newer renewal, by `performance.now()`. */
  #sight(id: string, { token, beat }: LockVersion): number {
    const before = this.#sightings.get(id)
    if (before?.token === token && before.beat === beat) return before.since
    const since = performance.now()
    this.#sightings.set(id, { token, beat, since })
    return since
  }

  #objectOf(id: string): LockObject {
    if (!isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
    return new LockObject(this.#bucket, this.#prefix + id)
  }
}

/** A lock that can be taken: its last version, and whether its holder may not know. */
interface Vacancy {
  readonly version: LockVersion | undefined
  readonly forced: boolean
}

/**
 * A renewal, and when it was first seen. Kept from one wait to the next, because requests wait for
 * less than a lease, so a single one never sees that a holder is dead.
 */
interface Sighting {
  readonly token: number
  readonly beat: number
  readonly since: number
}

/**
 * Returns the content of the next acquisition. Tokens are times, so that they also grow when the
 * object has been removed meanwhile, at least an hour after it was last used.
 */
function heldAfter(before: LockVersion | undefined): LockContent {
  const token = Math.max((before?.token ?? 0) + 1, Date.now())
  return { token, state: 'held', beat: 0, writers: 0, readers: 0, declined: 0 }
}
