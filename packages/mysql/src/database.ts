import { unlessAborted } from 'tuskit/store-kit'
import { deadlock, errorNumber, isExpected, mysqlError } from './mysql-error.js'
import type { MysqlConnection, MysqlPool, MysqlValue } from './mysql-pool.js'

/** The result of a statement that changes rows. */
export interface Changes {
  readonly affectedRows: number
  readonly insertId: number
}

/** Runs a statement. Returns its rows, or what it has changed. */
export type Run = <T>(sql: string, ...values: MysqlValue[]) => Promise<T>

/** Runs statements on the connections of a pool. */
export class Database {
  readonly #pool: MysqlPool

  constructor(pool: MysqlPool) {
    this.#pool = pool
  }

  /** Runs one statement. */
  run<T>(signal: AbortSignal, sql: string, ...values: MysqlValue[]): Promise<T> {
    return this.use(signal, (run) => run<T>(sql, ...values))
  }

  /** Runs statements as one transaction. */
  transaction<T>(signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> {
    return this.use(signal, async (run) => {
      await run('START TRANSACTION')
      try {
        const result = await work(run)
        await run('COMMIT')
        return result
      } catch (error) {
        // If that fails too, the end of the connection rolls it back.
        await run('ROLLBACK')
        throw error
      }
    })
  }

  /**
   * Gives `work` a connection. If `signal` aborts or a statement fails, the connection is closed:
   * the next call must not wait for the statement, nor meet the same failure, such as a server that
   * is read-only since another one is the primary.
   *
   * Calls `work` again after a deadlock, which undoes what it has done.
   */
  async use<T>(signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted()
      let connection: MysqlConnection | undefined
      try {
        const connecting = this.#pool.getConnection()
        connection = await unlessAborted(signal, connecting, (late) => late.release())
        const result = await work(runner(connection, signal))
        connection.release()
        return result
      } catch (error) {
        if (!signal.aborted && isExpected(error)) connection?.release()
        else connection?.destroy()
        signal.throwIfAborted()
        if (errorNumber(error) !== deadlock) throw mysqlError(error)
      }
    }
  }
}

function runner(connection: MysqlConnection, signal: AbortSignal): Run {
  return async <T>(sql: string, ...values: MysqlValue[]) => {
    // Not all statements can be prepared.
    const statement = { sql, rowsAsArray: false, nestTables: false, typeCast }
    const running =
      values.length === 0 ? connection.query(statement) : connection.execute(statement, values)
    const [result] = await unlessAborted(signal, running)
    return result as T
  }
}

/** Returns a value as it is by default, and numbers of all sizes as numbers. */
function typeCast({ type }: { readonly type: string }, next: () => unknown): unknown {
  const value = next()
  return type === 'LONGLONG' && value !== null ? Number(value) : value
}
