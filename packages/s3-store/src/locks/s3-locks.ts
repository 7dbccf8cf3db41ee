import { isUploadId, type LockRequester, type ReadOptions } from 'tuskit'
import type { HeldLock, ReservedLock, SharedLocks, TakenLock } from 'tuskit/store-kit'
import type { Bucket } from '../bucket/bucket.js'
import { Recent } from '../recent.js'
import { LockObject, type LockContent, type LockVersion } from './lock-object.js'

/** How many locks are remembered after their release, so that this process need not read them. */
const mostReleased = 10_000

/** How many holders of other processes are observed. */
const mostSightings = 10_000

/** Milliseconds after which a lock without a holder is unused. */
const unusedAfter = 3_600_000

/** Milliseconds after which any lock is unused that nobody has renewed. */
const deadAfter = 86_400_000

/** How often a change is tried when other processes leave requests at the same time. */
const mostAttempts = 20

/**
 * A renewal, and when it was first seen, by `performance.now()`. Kept from one wait to the next,
 * because requests wait for less than a lease, so a single one never sees that a holder is dead.
 */
interface Sighting {
  readonly version: LockVersion
  readonly since: number
}

/** A lock that this process holds. */
interface Held {
  version: LockVersion
  /** The last change of the object, because each one depends on the one before. */
  changing: Promise<unknown>
}

/**
 * Locks as objects of a bucket. All changes depend on the last version of the object. Leases are
 * measured by those who see no renewal, because nothing else says how old a version is.
 */
export class S3Locks implements SharedLocks {
  readonly #bucket: () => Bucket
  readonly #prefix: string
  readonly #lease: number
  readonly #held = new WeakMap<TakenLock, Held>()
  readonly #released = new Recent<LockVersion>(mostReleased)
  readonly #sightings = new Recent<Sighting>(mostSightings)

  constructor(bucket: () => Bucket, prefix: string, lease: number) {
    this.#bucket = bucket
    this.#prefix = prefix
    this.#lease = lease
  }

  async take(
    id: string,
    _: string,
    { signal }: ReadOptions,
  ): Promise<TakenLock | HeldLock | ReservedLock> {
    const object = this.#objectOf(id)
    // Most locks are new, or were held by this process before, so the first look is spared.
    let before = this.#released.get(id)
    let isFree = this.#sightings.get(id) === undefined
    let forced = before?.state === 'abandoned'
    this.#released.delete(id)
    for (;;) {
      if (isFree) {
        const version = await object.write(before, heldAfter(before), signal)
        if (version !== undefined) {
          this.#sightings.delete(id)
          const taken: TakenLock = { is: 'taken', token: version.token, forced }
          this.#held.set(taken, { version, changing: Promise.resolve() })
          return taken
        }
      }
      before = await object.read(signal)
      const left = before === undefined ? 0 : this.#leftOf(id, before)
      isFree = left <= 0
      if (!isFree && before!.state === 'removing') return { is: 'reserved', left }
      if (!isFree) return held(before!, left)
      // A process that removes a lock writes nothing else.
      forced = before?.state === 'held' || before?.state === 'abandoned'
    }
  }

  async look(id: string, { signal }: ReadOptions): Promise<HeldLock | undefined> {
    const version = await this.#objectOf(id).read(signal)
    if (version?.state !== 'held') return undefined
    const left = this.#leftOf(id, version)
    return left > 0 ? held(version, left) : undefined
  }

  async ask(
    id: string,
    token: number,
    requester: LockRequester,
    { signal }: ReadOptions,
  ): Promise<number | undefined> {
    const object = this.#objectOf(id)
    const name = `${requester}s` as const
    let version = this.#sightings.get(id)?.version
    for (;;) {
      if (version?.token === token && version.state === 'held') {
        const change = { ...version, [name]: version[name] + 1 }
        const written = await object.write(version, change, signal)
        if (written !== undefined) {
          this.#leftOf(id, written)
          return written[name]
        }
      }
      version = await object.read(signal)
      if (version?.token !== token || version.state !== 'held') return undefined
    }
  }

  async decline(id: string, lock: TakenLock, readers: number, options: ReadOptions): Promise<void> {
    const later = ({ declined }: LockVersion) => ({ declined: Math.max(declined, readers) })
    await this.#change(id, lock, later, options)
  }

  async renew(id: string, lock: TakenLock, options: ReadOptions): Promise<HeldLock | undefined> {
    const version = await this.#change(id, lock, ({ beat }) => ({ beat: beat + 1 }), options)
    return version && held(version, this.#lease)
  }

  async release(id: string, lock: TakenLock, forced: boolean, options: ReadOptions): Promise<void> {
    const state = forced ? 'abandoned' : 'released'
    const version = await this.#change(id, lock, () => ({ state }), options)
    this.#sightings.delete(id)
    if (version !== undefined) this.#released.set(id, version)
  }

  /** Removes the objects of unused locks. */
  async prune(): Promise<void> {
    const signal = new AbortController().signal
    const now = Date.now()
    for await (const { key, modified } of this.#bucket().list(this.#prefix, signal)) {
      const age = now - +modified
      if (age < unusedAfter || !isUploadId(key.slice(this.#prefix.length))) continue
      const object = new LockObject(this.#bucket(), key)
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

  /** Changes the object if it is still that of this acquisition. Otherwise returns nothing. */
  #change(
    id: string,
    lock: TakenLock,
    change: (version: LockVersion) => Partial<LockVersion>,
    { signal }: ReadOptions,
  ): Promise<LockVersion | undefined> {
    const held = this.#held.get(lock)!
    const changing = held.changing.then(() => this.#changeNow(id, held, change, signal))
    held.changing = changing.catch(() => {})
    return changing
  }

  async #changeNow(
    id: string,
    held: Held,
    change: (version: LockVersion) => Partial<LockVersion>,
    signal: AbortSignal,
  ): Promise<LockVersion | undefined> {
    const object = this.#objectOf(id)
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const { version } = held
      const written = await object.write(version, { ...version, ...change(version) }, signal)
      if (written !== undefined) return (held.version = written)
      // Another process has left a request, or taken the lock over.
      const found = await object.read(signal)
      if (found?.token !== version.token || found.state !== 'held') return undefined
      held.version = found
    }
    return undefined
  }

  /** Milliseconds of its lease that are left, as far as this process has seen. */
  #leftOf(id: string, version: LockVersion): number {
    const { token, state, beat } = version
    if (state === 'released' || state === 'abandoned') {
      this.#sightings.delete(id)
      return 0
    }
    const before = this.#sightings.get(id)
    const isSame = before?.version.token === token && before.version.beat === beat
    const since = isSame ? before.since : performance.now()
    this.#sightings.set(id, { version, since })
    return since + this.#lease - performance.now()
  }

  #objectOf(id: string): LockObject {
    return new LockObject(this.#bucket(), this.#prefix + id)
  }
}

function held({ token, writers, readers, declined }: LockVersion, left: number): HeldLock {
  return { is: 'held', token, left, writers, readers, declined }
}

/**
 * Returns the content of the next acquisition. Tokens are times, so that they also grow when the
 * object has been removed meanwhile, at least an hour after it was last used.
 */
function heldAfter(before: LockVersion | undefined): LockContent {
  const token = Math.max((before?.token ?? 0) + 1, Date.now())
  return { token, state: 'held', beat: 0, writers: 0, readers: 0, declined: 0 }
}
