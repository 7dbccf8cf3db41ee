import type { LockRequester, ReadOptions } from 'tuskit'
import {
  unlessAborted,
  type HeldLock,
  type ReservedLock,
  type SharedLocks,
  type TakenLock,
} from 'tuskit/store-kit'
import type { Database } from '../database/database.js'
import type { Script } from '../database/script.js'
import { shardOf } from '../database/shards.js'
import {
  askHolder,
  declineReaders,
  leaveLock,
  lookAtLock,
  releaseLock,
  renewLock,
  takeLock,
} from './lock-scripts.js'

type Arguments = readonly (string | number)[]

/** Whom to wake when a lock changes. */
type Watchers = Set<() => void>

/** The channel of the ids of locks that have changed. */
const channel = 'locks'

/**
 * Locks in Redis: a hash for each, and a sorted set of those that wait, by the time since when.
 * Leases end by the clock of the server, and tokens are its times in microseconds, so that they
 * grow also when the key of a lock has expired.
 */
export class RedisLocks implements SharedLocks {
  readonly #database: Database
  readonly #lease: number
  readonly #watchers = new Map<string, Watchers>()
  #unsubscribe = () => {}

  constructor(database: Database, lease: number) {
    this.#database = database
    this.#lease = lease
  }

  /** Begins to listen to the changes of other processes. */
  async listen(): Promise<void> {
    const subscription = this.#database.subscribe(channel, {
      message: (id) => wake(this.#watchers.get(id)),
      // Messages may have been missed.
      subscribed: () => {
        for (const watchers of this.#watchers.values()) wake(watchers)
      },
    })
    try {
      await subscription.opened
      this.#unsubscribe = () => subscription.close()
    } catch (error) {
      subscription.close()
      throw error
    }
  }

  stopListening(): void {
    this.#unsubscribe()
  }

  async take(
    id: string,
    caller: string,
    options: ReadOptions,
  ): Promise<TakenLock | HeldLock | ReservedLock> {
    const args = [caller, this.#lease, ...this.#toWake(id)]
    const reply = await this.#change(takeLock, id, args, options)
    const [is, first, second] = reply
    if (is === 'held') return heldLock(reply)
    if (is === 'reserved') return { is, left: Number(first) }
    return { is: 'taken', token: Number(first), forced: Number(second) === 1 }
  }

  async leave(id: string, caller: string, options: ReadOptions): Promise<void> {
    await this.#change(leaveLock, id, [caller, ...this.#toWake(id)], options)
  }

  async look(id: string, { signal }: ReadOptions): Promise<HeldLock | undefined> {
    const call = { ...placeOf(id), args: [], signal }
    const [, ...reply] = (await this.#database.read(lookAtLock, call)) as readonly unknown[]
    return String(reply[0]) === 'held' ? heldLock(reply) : undefined
  }

  async ask(
    id: string,
    token: number,
    requester: LockRequester,
    options: ReadOptions,
  ): Promise<number | undefined> {
    const args = [token, `${requester}s`, ...this.#toWake(id)]
    const [count] = await this.#change(askHolder, id, args, options)
    return count === undefined ? undefined : Number(count)
  }

  async decline(
    id: string,
    { token }: TakenLock,
    readers: number,
    options: ReadOptions,
  ): Promise<void> {
    await this.#change(declineReaders, id, [token, readers, ...this.#toWake(id)], options)
  }

  async renew(
    id: string,
    { token }: TakenLock,
    options: ReadOptions,
  ): Promise<HeldLock | undefined> {
    const reply = await this.#change(renewLock, id, [token, this.#lease], options)
    return reply[0] === 'held' ? heldLock(reply) : undefined
  }

  async release(
    id: string,
    { token }: TakenLock,
    forced: boolean,
    options: ReadOptions,
  ): Promise<void> {
    const args = [token, forced ? 1 : 0, ...this.#toWake(id)]
    await this.#change(releaseLock, id, args, options)
  }

  watch(id: string, wake: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set()
    this.#watchers.set(id, watchers.add(wake))
    return () => {
      watchers.delete(wake)
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id)
    }
  }

  /**
   * Runs a script. Rejects at once when the signal aborts: each step compares the holder, and one
   * that takes the lock without a caller does so at most until the end of its lease.
   */
  #change(
    script: Script,
    id: string,
    args: Arguments,
    { signal }: ReadOptions,
  ): Promise<readonly (string | number)[]> {
    const call = { ...placeOf(id), args, signal }
    return unlessAborted(signal, this.#database.change(script, call))
  }

  #toWake(id: string): Arguments {
    return [this.#database.channel(channel), id]
  }
}

function placeOf(id: string) {
  return { shard: shardOf(id), keys: [`lock:${id}`, `waiters:${id}`] }
}

function wake(watchers: Watchers = new Set()): void {
  for (const call of [...watchers]) call()
}

/** Reads what a script returns of a lock that is held, after the word that says so. */
function heldLock([, ...numbers]: readonly unknown[]): HeldLock {
  const [token, left, writers, readers, declined] = numbers.map(Number) as [
    ...[number, number, number, number, number],
  ]
  return { is: 'held', token, left, writers, readers, declined }
}
