import type { AcquireOptions, Lifecycle, Lock, Locker, ReadOptions, StoreComposer } from 'tuskit'
import { checkOptions, LeaseLocker, must } from 'tuskit/store-kit'
import { Bucket } from './bucket/bucket.js'
import { openBucket } from './open-bucket.js'
import { S3Locks } from './locks/s3-locks.js'
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

/** Milliseconds between two removals of unused locks. */
const pruneInterval = 3_600_000

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
  readonly #locks: S3Locks
  readonly #locker: LeaseLocker
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
    const lease = Math.ceil(checked.lease ?? 15_000)
    const pollInterval = checked.pollInterval ?? 2_000
    this.#locks = new S3Locks(() => this.#bucket, this.#prefix, lease)
    this.#locker = new LeaseLocker({ locks: this.#locks, lease, pollInterval })
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

  acquire(id: string, options: AcquireOptions): Promise<Lock> {
    return this.#locker.acquire(id, options)
  }

  settle(id: string, options: ReadOptions): Promise<'free' | 'held'> {
    return this.#locker.settle(id, options)
  }

  /**
   * Removes the objects of locks that nobody has held for an hour, or renewed for a day. Each
   * process does that once an hour.
   */
  prune(): Promise<void> {
    return this.#locks.prune()
  }
}
