import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { unlessAborted } from 'tuskit/store-kit'
import type { Database } from '../database.js'
import { postgresError } from '../postgres-error.js'
import type { PostgresConnection, PostgresNotification } from '../postgres-pool.js'

/** A connection that listens. */
export interface Listening {
  readonly connection: PostgresConnection
  readonly end: () => unknown
}

/** The longest waits after the first failure to connect, and after any. In milliseconds. */
const [firstDelay, longestDelay] = [100, 5_000]

/** Milliseconds in which a connection must respond. */
const patience = 10_000

/** Milliseconds in which the message of `open` must arrive. */
const arrival = 3_000

const unheard =
  'PostgresLocker: notifications do not arrive, as behind PgBouncer in transaction mode. ' +
  "Let 'listener' connect to the server itself, or set 'notifications' to false"

/** Listens to a channel on one connection, and connects again whenever that is lost. */
export class Notifications {
  readonly #database: Database
  readonly #channel: string
  readonly #connect: (signal: AbortSignal) => Promise<Listening>
  readonly #watchers = new Map<string, Set<() => void>>()
  #closing = new AbortController()
  /** Ends the connection. */
  #end = () => {}

  constructor(
    database: Database,
    channel: string,
    connect: (signal: AbortSignal) => Promise<Listening>,
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
      throw error
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#closing.abort()
    this.#end()
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

  async #listen(): Promise<PostgresConnection> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(patience)])
    const { connection, end } = await this.#connect(signal)
    let isOver = false
    const onNotification = ({ channel, payload }: PostgresNotification) => {
      if (channel === this.#channel) this.#wake(payload ?? '')
    }
    const endOnce = () => {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      connection.off('notification', onNotification)
      connection.off('error', onLost)
      // It may fail once more.
      connection.on('error', () => {})
      void end()
    }
    const onLost = () => {
      endOnce()
      void this.#reconnect()
    }
    connection.on('error', onLost)
    connection.on('notification', onNotification)
    const ping = () => responds(connection, 'SELECT 1', AbortSignal.timeout(patience))
    const timer = setInterval(() => void ping().catch(onLost), 2 * patience).unref()
    try {
      await responds(connection, `LISTEN "${this.#channel}"`, signal)
    } catch (error) {
      endOnce()
      throw error
    }
    this.#end = endOnce
    return connection
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing
    for (let longest = firstDelay; !signal.aborted; longest = Math.min(2 * longest, longestDelay)) {
      const delay = (0.5 + Math.random() / 2) * longest
      await sleep(delay, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted || (await this.#listen().catch(() => undefined)) === undefined) continue
      for (const text of this.#watchers.keys()) this.#wake(text)
      return
    }
  }

  #wake(text: string): void {
    for (const wake of this.#watchers.get(text) ?? []) wake()
  }

  /** Rejects if a message that another connection sends does not arrive. */
  async #assertArriving(connection: PostgresConnection): Promise<void> {
    const text = `open ${randomUUID()}`
    const signal = AbortSignal.timeout(patience)
    let unwatch = () => {}
    const arrived = new Promise<void>((resolve) => (unwatch = this.watch(text, resolve)))
    try {
      await this.#database.change(['SELECT pg_notify($1, $2)', [this.#channel, text]], signal)
      if (await isSettledWithin(arrival, arrived)) return
      // Otherwise it is the connection that is slow or lost.
      await responds(connection, 'SELECT 1', signal)
      throw new Error(unheard)
    } finally {
      unwatch()
    }
  }
}

async function isSettledWithin(milliseconds: number, work: Promise<void>): Promise<boolean> {
  const stop = new AbortController()
  const late = sleep(milliseconds, false, { signal: stop.signal })
  const inTime = await Promise.race([work.then(() => true), late])
  stop.abort()
  late.catch(() => {})
  return inTime
}

/** Runs a statement, unless the signal aborts first. */
async function responds(
  connection: PostgresConnection,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await unlessAborted(signal, connection.query(text))
  } catch (error) {
    throw postgresError(error)
  }
}
