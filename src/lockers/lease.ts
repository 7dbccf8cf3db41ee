import type { ReadOptions } from '../capabilities/call-options.js'
import { checkOptions, must } from '../check-options.js'
import { TusError } from '../errors.js'
import { unlessAborted } from '../unless-aborted.js'

/** The interval of renewals, as a fraction of the lease: three of them fit into it. */
export const renewsAfter = 0.3
// The holder treats the lock as lost at 85 % of the lease, before others may take it over. 0.85
// lies between two renewals, so that the next one notices. The rest allows for clocks of different
// speed.
const givesUpAfter = 0.85

/** Options of {@link Lease}. */
export interface LeaseOptions {
  /** Milliseconds after which others may take the lock over unless it is renewed. */
  readonly duration: number
  /**
   * When the request that acquired the lock was sent, by `performance.now()`. Not when the response
   * came: the lease runs from some time in between, and the holder must not be the last to know
   * that it has ended.
   */
  readonly sentAt: number
  /**
   * Renews the lock in the storage. Called every 0.3 leases. Resolves to `true` if the lock was
   * renewed, and to `false` if it belongs to another holder. A rejection may be temporary, so the
   * lock is lost only when the lease has run out.
   *
   * The `signal` aborts when the next call is due, and when the lock is lost: end the request then.
   * If you do not, two calls may be in progress at once. A result that comes after the abort still
   * counts.
   *
   * @default nothing is called; call {@link Lease.renewed} yourself
   */
  readonly renew?: (options: ReadOptions) => Promise<boolean>
}

const rules = {
  duration: { ...must.beMilliseconds, required: true },
  sentAt: {
    expectation: 'a time of performance.now()',
    accepts: (v: unknown) => typeof v === 'number' && v <= performance.now(),
    required: true,
  },
  renew: must.beFunction,
}

/**
 * Knows whether a lock with a lease is still held, for lockers that keep their locks in a database
 * or a coordination service.
 *
 * A process can be suspended at any moment, and then wake up with a lock that another process has
 * taken over. A flag that a timer sets would still say that the lock is held. So
 * {@link Lease.held} compares times of the monotonic clock at each call, and changes of the time of
 * day have no effect.
 *
 * The holder gives up at 85 % of the lease, because it must be the first to know, and clocks run at
 * different speeds. Its timer does not keep the process alive.
 *
 * @example
 * const sentAt = performance.now()
 * const acquired = await redis.set(key, secret, { NX: true, PX: 10_000 })
 * const lease = new Lease({
 *   duration: 10_000,
 *   sentAt,
 *   renew: async () => (await redis.eval(extendIfMine, [key], [secret, 10_000])) === 1,
 * })
 */
export class Lease {
  readonly #duration: number
  readonly #renew: LeaseOptions['renew']
  readonly #lost = new AbortController()
  readonly #timer: NodeJS.Timeout
  #sentAt: number
  /** Resolves when the last renewal has ended, or when its time is over. */
  #renewing = Promise.resolve()
  /** Ends the time of the last renewal. */
  #time = new AbortController()
  /** How the lease has ended, if it has. */
  #end: 'stopped' | 'lost' | undefined

  constructor(options: LeaseOptions) {
    const { duration, sentAt, renew } = checkOptions('Lease', options, rules)
    this.#duration = duration
    this.#sentAt = sentAt
    this.#renew = renew
    this.#timer = setInterval(() => this.#tick(), duration * renewsAfter).unref()
  }

  /** Aborts with `ERR_LOCK_LOST` when the lease has run out or the lock was lost otherwise. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Returns whether the lock is still held. Right even after the process was suspended. */
  held(): boolean {
    const age = performance.now() - this.#sentAt
    return this.#end === undefined && age < this.#duration * givesUpAfter
  }

  /**
   * Notes that a renewal has succeeded whose request was sent at `sentAt`. A renewal that comes too
   * late does not count: the lock is lost, because another process may have taken it over
   * meanwhile.
   */
  renewed(sentAt: number): void {
    if (!this.held()) return this.lose()
    this.#sentAt = Math.max(this.#sentAt, sentAt)
  }

  /** Notes that the lock is lost, such as when its session has ended. */
  lose(): void {
    if (this.#end !== undefined) return
    this.#end = 'lost'
    clearInterval(this.#timer)
    this.#time.abort()
    this.#lost.abort(new TusError('ERR_LOCK_LOST'))
  }

  /**
   * Ends the lease: the lock is not held any more, and not lost either. Resolves when no renewal is
   * in progress, or when its signal aborts, so after at most 0.3 leases. Wait for that before you
   * release the lock in the storage, or a late renewal could take it again.
   */
  async stop(): Promise<void> {
    this.#end ??= 'stopped'
    await this.#renewing
    clearInterval(this.#timer)
  }

  #tick(): void {
    this.#time.abort()
    if (!this.held()) return this.lose()
    if (this.#renew === undefined) return
    this.#time = new AbortController()
    const { signal } = this.#time
    const renewing = this.#renewNow(this.#renew, signal)
    this.#renewing = unlessAborted(signal, renewing).catch(() => {})
  }

  /** Rejects if the renewal has failed. That may be temporary. If it is not, the lease runs out. */
  async #renewNow(renew: Required<LeaseOptions>['renew'], signal: AbortSignal): Promise<void> {
    const sentAt = performance.now()
    if (await renew({ signal })) this.renewed(sentAt)
    else this.lose()
  }
}
