import { setMaxListeners } from 'node:events'
import { unlessAborted } from 'tuskit/store-kit'
import { isWorthRepeating, postgresError } from './postgres-error.js'
import type { PostgresPool, PostgresPoolClient, Row } from './postgres-pool.js'

/** A statement with its parameters. */
export type Statement = readonly [text: string, values: readonly unknown[]]

/** Runs a statement of a transaction. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>

/** The result of a statement. */
export interface Result {
  readonly rows: readonly Row[]
  /** Whether an earlier attempt failed, and may have made its change nevertheless. */
  readonly isRepeated: boolean
}

/**
 * Milliseconds after an abort in which a statement can end by itself. Then its connection is
 * closed, because a server that hangs would keep it.
 */
const grace = 500

/**
 * Milliseconds after which a transaction gives up. A connection that the network has forgotten
 * would keep it for a quarter of an hour.
 */
const patience = 120_000

const ignore = () => {}

/** The pools that have a listener for errors. */
const guarded = new WeakSet<PostgresPool>()

/** Runs statements on connections of the application's pool. */
export class Database {
  readonly #pool: PostgresPool

  constructor(pool: PostgresPool) {
    this.#pool = pool
    // Otherwise an idle connection that is lost would end the process.
    if (!guarded.has(pool)) pool.on('error', ignore)
    guarded.add(pool)
  }

  /** Runs a statement that changes nothing. Rejects as soon as the signal aborts. */
  async read(statement: Statement, signal: AbortSignal): Promise<readonly Row[]> {
    const { rows } = await unlessAborted(signal, this.#run(statement, signal))
    return rows
  }

  /**
   * Runs a statement that changes something. After an abort, waits a moment to see whether the
   * change is made: the upload stays locked until then.
   */
  change(statement: Statement, signal: AbortSignal): Promise<Result> {
    return this.#run(statement, signal)
  }

  /** Runs `work` in a transaction. */
  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(patience)
    const client = await this.connect(signal).catch((error) => {
      throw postgresError(error)
    })
    const query: Query = async (text, values = []) => {
      const running = unlessAborted(signal, client.query(text, [...values]))
      const { rows } = await running.catch((error) => {
        throw postgresError(error)
      })
      return rows
    }
    let isDone = false
    try {
      await query('BEGIN')
      const result = await work(query)
      await query('COMMIT')
      isDone = true
      return result
    } finally {
      // A connection that is closed rolls back.
      giveBack(client, !isDone)
    }
  }

  /** Takes a connection from the pool, for {@link giveBack}. */
  async connect(signal: AbortSignal): Promise<PostgresPoolClient> {
    return await unlessAborted(signal, this.#connect(), (late) => giveBack(late, false))
  }

  async #connect(): Promise<PostgresPoolClient> {
    const client = await this.#pool.connect().catch((error) => {
      throw postgresError(error)
    })
    client.on('error', ignore)
    return client
  }

  async #run([text, values]: Statement, signal: AbortSignal): Promise<Result> {
    // Each call listens more than once, and several calls share a signal.
    setMaxListeners(0, signal)
    for (let isRepeated = false; ; isRepeated = true) {
      signal.throwIfAborted()
      const client = await this.connect(signal)
      try {
        const { rows } = await perform(client, signal, () => client.query(text, [...values]))
        return { rows, isRepeated }
      } catch (error) {
        signal.throwIfAborted()
        // A connection that was idle may have been lost without notice.
        if (isRepeated || !isWorthRepeating(error)) throw postgresError(error)
      }
    }
  }
}

/** Gives the connection back afterwards, or closes it if it may not be usable. */
async function perform<T>(
  client: PostgresPoolClient,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  let isGivenBack = false
  const giveBackOnce = (destroy: boolean) => {
    if (!isGivenBack) giveBack(client, destroy)
    isGivenBack = true
  }
  let timer: NodeJS.Timeout | undefined
  const onAbort = () => void (timer = setTimeout(giveBackOnce, grace, true))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    const result = await work()
    giveBackOnce(false)
    return result
  } finally {
    giveBackOnce(true)
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Gives a connection back to the pool, or closes it. */
export function giveBack(client: PostgresPoolClient, destroy: boolean): void {
  client.off('error', ignore)
  client.release(destroy)
}
