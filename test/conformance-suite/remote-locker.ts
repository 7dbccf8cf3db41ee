import { randomUUID } from 'node:crypto'
import type { AcquireOptions, Lock, Locker, LockRequester, ReadOptions } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { Lease, translated, unlessAborted } from 'tuskit/store-kit'
import type { FakeDatabase, Notify } from './fake-database.js'
import { Notices } from './notices.js'

/** The row of a lock. It stays when the lock is free, so that tokens grow. */
export interface LockRow {
  readonly token: number
  /** The name of the holder. Absent while the lock is free. */
  readonly holder?: string
  /** When the lease of the holder ends, by the clock of the database. */
  readonly until: number
  readonly forced: boolean
  /** The requests for the lock: `writer`, or one name for each reader. */
  readonly asks: readonly string[]
}

type Rows = Map<string, string>

export function lockRowIn(rows: Rows, id: string): LockRow {
  const free: LockRow = { token: 0, until: 0, forced: false, asks: [] }
  return { ...free, ...(JSON.parse(rows.get(id) ?? '{}') as Partial<LockRow>) }
}

export function isFree({ holder, until }: LockRow): boolean {
  return holder === undefined || until <= performance.now()
}

/** A sound locker on a fake database, from which broken ones are made. */
export class RemoteLocker implements Locker {
  readonly database: FakeDatabase
  readonly duration: number
  readonly notices: Notices
  readonly #turns = new MemoryLocker()

  constructor(database: FakeDatabase, duration: number) {
    this.database = database
    this.duration = duration
    this.notices = new Notices(database)
  }

  async acquire(id: string, { signal, requestRelease }: AcquireOptions): Promise<Lock> {
    let lock: Lock | undefined
    let askedEarly = false
    const turn = await this.#turns.acquire(id, {
      signal,
      requestRelease(requester) {
        if (lock) return requestRelease(requester)
        return (askedEarly = true)
      },
    })
    try {
      lock = await this.take(id, { signal, requestRelease }, () => void turn.release())
    } catch (error) {
      await turn.release()
      throw error
    }
    if (askedEarly) setImmediate(() => lock.held() && requestRelease('writer'))
    return lock
  }

  /** Waits until no other process holds the lock, and takes it. */
  async take(id: string, options: AcquireOptions, onRelease: () => void): Promise<RemoteLock> {
    const { signal } = options
    const bell = this.notices.bell(id)
    try {
      for (;;) {
        const holder = randomUUID()
        const sentAt = performance.now()
        const undo = () => void this.giveBack(id, holder, true).catch(no)
        const taking = this.change((rows, notify) => {
          const row = this.takeRow(lockRowIn(rows, id), holder)
          if (row.holder !== holder) notify(id)
          rows.set(id, JSON.stringify(row))
          return row
        })
        const row = await unlessAborted(signal, taking, undo)
        if (row.holder === holder) {
          const lease = { duration: this.duration, sentAt: this.startOf(sentAt) }
          return new RemoteLock(this, { ...options, id, holder, row, lease, onRelease })
        }
        await bell.next(this.waitFor(row), signal)
      }
    } finally {
      bell.stop()
    }
  }

  async settle(id: string, { signal }: ReadOptions): Promise<'free' | 'held'> {
    const name = randomUUID()
    const bell = this.notices.bell(id)
    let asked: number | undefined
    try {
      for (;;) {
        signal.throwIfAborted()
        const asking = this.change((rows, notify) => {
          const row = lockRowIn(rows, id)
          if (isFree(row) || row.token === asked) return row
          rows.set(id, JSON.stringify({ ...row, asks: [...row.asks, name] }))
          notify(id)
          return row
        })
        const row = await unlessAborted(signal, asking)
        if (isFree(row)) return 'free'
        if (row.token === asked && !row.asks.includes(name)) return 'held'
        asked = row.token
        await bell.next(this.waitFor(row), signal)
      }
    } finally {
      bell.stop()
    }
  }

  /** When the lease of a lock begins whose request was sent at this time. */
  startOf(sentAt: number): number {
    return sentAt
  }

  /** How long a caller waits at most before it looks at the lock again. */
  waitFor({ until }: LockRow): number {
    return Math.max(1, Math.min(this.duration, until - performance.now()))
  }

  /** Returns the row after a holder has tried to take it. */
  takeRow(row: LockRow, holder: string): LockRow {
    if (!isFree(row)) return { ...row, asks: [...new Set([...row.asks, 'writer'])] }
    const forced = row.forced || row.holder !== undefined
    const until = performance.now() + this.duration
    return { token: row.token + 1, holder, until, forced, asks: [] }
  }

  /** Renews a lock. Returns whether its holder had it. */
  renew(rows: Rows, id: string, lock: LockRow): boolean {
    const row = lockRowIn(rows, id)
    if (row.holder !== lock.holder || isFree(row)) return false
    rows.set(id, JSON.stringify({ ...row, until: performance.now() + this.duration }))
    return true
  }

  /** Frees a lock, if its holder has it. */
  free(rows: Rows, id: string, holder: string, forced: boolean): void {
    const { holder: current, ...row } = lockRowIn(rows, id)
    if (current === holder) rows.set(id, JSON.stringify({ ...row, forced: row.forced && forced }))
  }

  giveBack(id: string, holder: string, forced: boolean): Promise<void> {
    return this.change((rows, notify) => {
      this.free(rows, id, holder, forced)
      notify(id)
    })
  }

  change<T>(command: (rows: Rows, notify: Notify) => T): Promise<T> {
    return translated(this.database.run('change', command))
  }

  read<T>(command: (rows: Rows) => T): Promise<T> {
    return translated(this.database.run('read', command))
  }
}

interface RemoteLockOptions extends AcquireOptions {
  readonly id: string
  readonly holder: string
  readonly row: LockRow
  readonly lease: { readonly duration: number; readonly sentAt: number }
  readonly onRelease: () => void
}

/** A lock that is a row with a holder. */
export class RemoteLock implements Lock {
  readonly token: number
  forced: boolean
  readonly lease: Lease
  readonly #locker: RemoteLocker
  readonly #options: RemoteLockOptions
  readonly #deafen: () => void
  readonly #handled = new Set<string>()
  #released: Promise<void> | undefined

  constructor(locker: RemoteLocker, options: RemoteLockOptions) {
    const { id, row, lease } = options
    this.token = row.token
    this.forced = row.forced
    this.#locker = locker
    this.#options = options
    const renew = () => locker.change((rows) => locker.renew(rows, id, row))
    this.lease = new Lease({ ...lease, renew })
    this.#deafen = locker.notices.listen(id, () => void this.#respond().catch(no))
  }

  get lost(): AbortSignal {
    return this.lease.lost
  }

  shutOut(): void {
    this.forced = false
  }

  held(): boolean {
    return this.lease.held()
  }

  release(): Promise<void> {
    this.#released ??= this.#release(this.held())
    return this.#released
  }

  async #release(held: boolean): Promise<void> {
    const { id, holder, onRelease } = this.#options
    this.#deafen()
    await this.lease.stop()
    try {
      if (held) await this.#locker.giveBack(id, holder, this.forced)
    } finally {
      onRelease()
    }
  }

  /** Calls the holder for each request that it has not got yet. */
  async #respond(): Promise<void> {
    const { id, holder, requestRelease } = this.#options
    const row = await this.#locker.read((rows) => lockRowIn(rows, id))
    if (row.holder !== holder || !this.held()) return
    for (const name of row.asks) {
      if (this.#handled.has(name)) continue
      this.#handled.add(name)
      const requester: LockRequester = name === 'writer' ? 'writer' : 'reader'
      if ((await requestRelease(requester)) || requester === 'writer') continue
      // A missing request shows the reader that it was declined.
      await this.#locker.change((rows, notify) => {
        const { asks, ...rest } = lockRowIn(rows, id)
        rows.set(id, JSON.stringify({ ...rest, asks: asks.filter((other) => other !== name) }))
        notify(id)
      })
    }
  }
}

const no = () => {}
