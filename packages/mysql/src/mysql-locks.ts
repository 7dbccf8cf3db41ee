import type { LockRequester, ReadOptions } from 'tuskit'
import type { HeldLock, SharedLocks, TakenLock } from 'tuskit/store-kit'
import type { Changes, Database } from './database.js'
import { duplicateEntry, errorNumber } from './mysql-error.js'

/** Now, by the clock of the server, in milliseconds since 1970. Time zones do not matter. */
const now = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000"

/** Milliseconds after its lease when a lock that nobody took over is forgotten. */
const forgottenAfter = 86_400_000

interface Row extends Omit<HeldLock, 'is'> {
  readonly caller: string
  readonly forced: number
}

/**
 * Locks as rows of a table. A free lock has no row, unless its next holder must find it forced:
 * then its row has no caller.
 */
export class MysqlLocks implements SharedLocks {
  readonly #database: Database
  readonly #table: string
  readonly #lease: number

  constructor(database: Database, table: string, lease: number) {
    this.#database = database
    this.#table = table
    this.#lease = lease
  }

  async take(id: string, caller: string, options: ReadOptions): Promise<TakenLock | HeldLock> {
    for (;;) {
      const taken = await this.#takeFree(id, caller, options)
      if (taken !== undefined) return taken
      const row = await this.#read(id, options)
      if (row === undefined) continue
      const lock = lockOf(row, caller) ?? (await this.#takeOver(id, caller, options))
      if (lock !== undefined) return lock
    }
  }

  async leave(id: string, caller: string, { signal }: ReadOptions): Promise<void> {
    const where = `id = ? AND caller = ?`
    await this.#database.use(signal, async (run) => {
      await run(`${this.#abandon} WHERE ${where} AND forced = 1`, id, caller)
      await run(`DELETE FROM ${this.#table} WHERE ${where} AND forced = 0`, id, caller)
    })
  }

  async look(id: string, options: ReadOptions): Promise<HeldLock | undefined> {
    const row = await this.#read(id, options)
    return row && isHeld(row) ? held(row) : undefined
  }

  async ask(
    id: string,
    token: number,
    requester: LockRequester,
    { signal }: ReadOptions,
  ): Promise<number | undefined> {
    const column = `${requester}s`
    const sql = `UPDATE ${this.#table} SET ${column} = LAST_INSERT_ID(${column} + 1)
      WHERE id = ? AND token = ? AND caller <> ''`
    const { affectedRows, insertId } = await this.#database.run<Changes>(signal, sql, id, token)
    return affectedRows === 1 ? insertId : undefined
  }

  async decline(
    id: string,
    { token }: TakenLock,
    readers: number,
    { signal }: ReadOptions,
  ): Promise<void> {
    const sql = `UPDATE ${this.#table} SET declined = GREATEST(declined, ?)
      WHERE id = ? AND token = ?`
    await this.#database.run(signal, sql, readers, id, token)
  }

  async renew(
    id: string,
    { token }: TakenLock,
    { signal }: ReadOptions,
  ): Promise<HeldLock | undefined> {
    return this.#database.use(signal, async (run) => {
      const sql = `UPDATE ${this.#table} SET ends_at = ${now} + ? WHERE id = ? AND token = ?`
      await run(sql, this.#lease, id, token)
      const [row] = await run<Row[]>(this.#select, id)
      return row?.token === token && row.caller !== '' ? held(row) : undefined
    })
  }

  async release(
    id: string,
    { token }: TakenLock,
    forced: boolean,
    { signal }: ReadOptions,
  ): Promise<void> {
    const free = forced ? this.#abandon : `DELETE FROM ${this.#table}`
    await this.#database.run(signal, `${free} WHERE id = ? AND token = ?`, id, token)
  }

  /** Removes the rows of locks whose holders died long ago. */
  async prune({ signal }: ReadOptions): Promise<void> {
    const sql = `DELETE FROM ${this.#table} WHERE ends_at < ${now} - ?`
    await this.#database.run(signal, sql, forgottenAfter)
  }

  get #select(): string {
    return `SELECT token, caller, forced, writers, readers, declined, ends_at - ${now} AS \`left\`
      FROM ${this.#table} WHERE id = ?`
  }

  /** Leaves a lock without a holder, so that the next one finds it forced. */
  get #abandon(): string {
    return `UPDATE ${this.#table} SET caller = '', ends_at = ${now}`
  }

  async #read(id: string, { signal }: ReadOptions): Promise<Row | undefined> {
    const [row] = await this.#database.run<Row[]>(signal, this.#select, id)
    return row
  }

  /** Takes a lock that has no row. */
  async #takeFree(
    id: string,
    caller: string,
    { signal }: ReadOptions,
  ): Promise<TakenLock | undefined> {
    const sql = `INSERT INTO ${this.#table} (id, caller, ends_at) VALUES (?, ?, ${now} + ?)`
    try {
      const { insertId } = await this.#database.run<Changes>(signal, sql, id, caller, this.#lease)
      return { is: 'taken', token: insertId, forced: false }
    } catch (error) {
      if (errorNumber(error) !== duplicateEntry) throw error
      return undefined
    }
  }

  /** Takes a lock whose lease has run out. Returns nothing if it has no row any more. */
  async #takeOver(
    id: string,
    caller: string,
    { signal }: ReadOptions,
  ): Promise<TakenLock | HeldLock | undefined> {
    return this.#database.transaction(signal, async (run) => {
      const [row] = await run<Row[]>(`${this.#select} FOR UPDATE`, id)
      if (row === undefined) return undefined
      const lock = lockOf(row, caller)
      if (lock !== undefined) return lock
      // Another row, because its token has to be the next one.
      await run(`DELETE FROM ${this.#table} WHERE id = ?`, id)
      const sql = `INSERT INTO ${this.#table} (id, caller, ends_at, forced)
        VALUES (?, ?, ${now} + ?, 1)`
      const { insertId } = await run<Changes>(sql, id, caller, this.#lease)
      return { is: 'taken', token: insertId, forced: true }
    })
  }
}

/** Returns the lock, unless it is free. */
function lockOf(row: Row, caller: string): TakenLock | HeldLock | undefined {
  const { token, forced } = row
  if (row.caller === caller) return { is: 'taken', token, forced: forced === 1 }
  return isHeld(row) ? held(row) : undefined
}

function isHeld({ caller, left }: Row): boolean {
  return caller !== '' && left > 0
}

function held({ token, left, writers, readers, declined }: Row): HeldLock {
  return { is: 'held', token, left, writers, readers, declined }
}
