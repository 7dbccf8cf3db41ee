import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { storageError } from 'tuskit/store-kit'
import type { Database } from '../database.js'
import { ListeningConnection, patience, type OwnConnection } from './listening-connection.js'

/** The longest waits after the first failure to connect, and after any. In milliseconds. */
const [firstDelay, longestDelay] = [100, 5_000]

/** Milliseconds in which the message of `open` must arrive. */
const arrival = 3_000

const unheard =
  'PostgresLocker: notifications do not arrive, as behind PgBouncer in transaction mode. ' +
  "Let 'listener' connect to the server itself, or set 'notifications' to false"

/** Listens to a channel, and connects again whenever the connection is lost. */
export class Notifications {
  readonly #database: Database
  readonly #channel: string
  readonly #connect: (signal: AbortSignal) => Promise<OwnConnection>
  readonly #watchers = new Map<string, Set<() => void>>()
  #closing = new AbortController()
  #connection: ListeningConnection | undefined

  constructor(
    database: Database,
    channel: string,
    connect: (signal: AbortSignal) => Promise<OwnConnection>,
  ) {
    this.#database = database
    this.#channel = channel
    this.#connect = connect
  }

  /** Connects, and makes sure that messages arrive. */
  async open(): Promise<void> {
    this.#closing = new AbortController()
    try {
      await this.#assertArriving(await this.#listen())
    } catch (error) {
      this.close()
      throw storageError(error)
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#closing.abort()
    this.#connection?.end()
  }

  /**
   * Calls `wake` when a message has this text, and when messages may have been missed. Returns what
   * ends that.
   */
  watch(text: string, wake: () => void): () => void {
    const watchers = this.#watchers.get(text) ?? new Set()
    this.#watchers.set(text, watchers.add(wake))
    return () => {
      watchers.delete(wake)
      if (watchers.size === 0 && this.#watchers.get(text) === watchers) this.#watchers.delete(text)
    }
  }

  async #listen(): Promise<ListeningConnection> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(patience)])
    this.#connection = await ListeningConnection.open(await this.#connect(signal), {
      channel: this.#channel,
      onMessage: (text) => this.#wake(text),
      onLost: () => void this.#reconnect(),
      signal,
    })
    return this.#connection
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing
    for (let longest = firstDelay; !signal.aborted; longest = Math.min(2 * longest, longestDelay)) {
      try {
        // Random, so that not all processes come back at once.
        const delay = (0.5 + Math.random() / 2) * longest
        await sleep(delay, undefined, { signal, ref: false })
        await this.#listen()
        for (const text of this.#watchers.keys()) this.#wake(text)
        return
      } catch {
        // The server may still be down. Until then, waiting processes look at their locks.
      }
    }
  }

  #wake(text: string): void {
    for (const wake of this.#watchers.get(text) ?? []) wake()
  }

  /** Rejects if a message that another connection sends does not arrive. */
  async #assertArriving(listening: ListeningConnection): Promise<void> {
    const text = `open ${randomUUID()}`
    let unwatch = () => {}
    const arrived = new Promise<true>((resolve) => {
      unwatch = this.watch(text, () => resolve(true))
    })
    const stop = new AbortController()
    try {
      const notify = ['SELECT pg_notify($1, $2)', [this.#channel, text]] as const
      await this.#database.change(notify, AbortSignal.timeout(patience))
      const late = sleep(arrival, false, { signal: stop.signal })
      if (await Promise.race([arrived, late])) return
      // Otherwise it is the connection that is slow or lost.
      await listening.ping()
      throw new Error(unheard)
    } finally {
      stop.abort()
      unwatch()
    }
  }
}
