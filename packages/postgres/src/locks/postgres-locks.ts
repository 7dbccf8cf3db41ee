import type { LockRequester, ReadOptions } from 'tuskit'
import type { HeldLock, SharedLocks, TakenLock } from 'tuskit/store-kit'
import type { Database } from '../database.js'
import type { Row } from '../postgres-pool.js'
import type { Tables } from '../tables.js'

/** The columns of a {@link HeldLock}. */
const columns = `token, writers, readers, declined,
  extract(epoch FROM lease_until - statement_timestamp())::float8 * 1000 AS left`

/** Whether the lock is held with the token `$2`. */
const isHeld = 'id = $1 AND token = $2 AND held AND lease_until > statement_timestamp()'

/**
 * Locks as rows of a table. A row remains after the release, because the next holder changes it
 * more cheaply than it would make another one.
 *
 * Time is that of the server, at the beginning of each statement: a statement that had to wait for
 * another one must not begin a lease later than its holder, which counts from before it was sent.
 */
export class PostgresLocks implements SharedLocks {
  readonly #database: Database
  readonly #tables: Tables
  readonly #lease: number
  readonly watch?: NonNullable<SharedLocks['watch']>

  /** @param watch - Absent if no messages arrive. */
  constructor(database: Database, tables: Tables, lease: number, watch: SharedLocks['watch']) {
    this.#database = database
    this.#tables = tables
    this.#lease = lease
    if (watch !== undefined) this.watch = watch
  }

  async take(id: string, caller: string, options: ReadOptions): Promise<TakenLock | HeldLock> {
    const { locks, tokens } = this.#tables
    const nextToken = `nextval('${tokens}')`
    const isMine = 'l.held AND l.caller = $2'
    // Tokens of rows that exist are drawn here, where no other process can change the row.
    const statement = `INSERT INTO ${locks} AS l VALUES ($1, ${nextToken}, $2, true, false,
        statement_timestamp() + $3::float8 * interval '1 millisecond', 0, 0, 0)
      ON CONFLICT (id) DO UPDATE SET
        token = CASE WHEN ${isMine} THEN l.token ELSE ${nextToken} END,
        caller = $2,
        held = true,
        forced = l.forced OR (l.held AND l.caller <> $2),
        lease_until = excluded.lease_until,
        writers = CASE WHEN ${isMine} THEN l.writers ELSE 0 END,
        readers = CASE WHEN ${isMine} THEN l.readers ELSE 0 END,
        declined = CASE WHEN ${isMine} THEN l.declined ELSE 0 END
      WHERE NOT l.held OR l.lease_until <= statement_timestamp() OR l.caller = $2
      RETURNING token, forced`
    for (;;) {
      const [row] = await this.#change(statement, [id, caller, this.#lease], options)
      if (row !== undefined) {
        return { is: 'taken', token: Number(row.token), forced: row.forced === true }
      }
      const held = await this.look(id, options)
      if (held !== undefined) return held
    }
  }

  async leave(id: string, caller: string, options: ReadOptions): Promise<void> {
    const isOf = 'id = $1 AND held AND caller = $2'
    await this.#free(`UPDATE ${this.#tables.locks} SET held = false`, isOf, [id, caller], options)
  }

  async look(id: string, { signal }: ReadOptions): Promise<HeldLock | undefined> {
    const where = 'WHERE id = $1 AND held AND lease_until > statement_timestamp()'
    const select = `SELECT ${columns} FROM ${this.#tables.locks} ${where}`
    const [row] = await this.#database.read([select, [id]], signal)
    return heldLock(row)
  }

  async ask(
    id: string,
    token: number,
    requester: LockRequester,
    options: ReadOptions,
  ): Promise<number | undefined> {
    const count = `${requester}s`
    const [row] = await this.#change(
      `WITH asked AS (UPDATE ${this.#tables.locks} SET ${count} = ${count} + 1
         WHERE ${isHeld} RETURNING ${count})
       SELECT ${count} AS count, ${this.#notify} FROM asked`,
      [id, token],
      options,
    )
    return row && Number(row.count)
  }

  async decline(
    id: string,
    { token }: TakenLock,
    readers: number,
    options: ReadOptions,
  ): Promise<void> {
    await this.#change(
      `WITH declined AS (UPDATE ${this.#tables.locks} SET declined = greatest(declined, $3)
         WHERE ${isHeld} RETURNING id)
       SELECT ${this.#notify} FROM declined`,
      [id, token, readers],
      options,
    )
  }

  async renew(
    id: string,
    { token }: TakenLock,
    options: ReadOptions,
  ): Promise<HeldLock | undefined> {
    const [row] = await this.#change(
      `UPDATE ${this.#tables.locks}
       SET lease_until = statement_timestamp() + $3::float8 * interval '1 millisecond'
       WHERE ${isHeld} RETURNING ${columns}`,
      [id, token, this.#lease],
      options,
    )
    return heldLock(row)
  }

  async release(
    id: string,
    { token }: TakenLock,
    forced: boolean,
    options: ReadOptions,
  ): Promise<void> {
    const isOf = 'id = $1 AND held AND token = $2'
    const update = `UPDATE ${this.#tables.locks} SET held = false, forced = $3`
    await this.#free(update, isOf, [id, token, forced], options)
  }

  /** Removes the rows of locks that were released a minute ago, or not renewed for a day. */
  async prune(options: ReadOptions): Promise<void> {
    await this.#change(
      `DELETE FROM ${this.#tables.locks}
       WHERE lease_until < statement_timestamp() - interval '1 day'
         OR (NOT held AND NOT forced AND lease_until < statement_timestamp() - interval '1 minute')`,
      [],
      options,
    )
  }

  /** Sends a message about the lock `$1`. */
  get #notify(): string {
    return `pg_notify('${this.#tables.channel}', $1)`
  }

  /** Wakes others only if one has asked: messages are not free. */
  async #free(
    update: string,
    isOf: string,
    values: readonly unknown[],
    options: ReadOptions,
  ): Promise<void> {
    await this.#change(
      `WITH freed AS (${update}, lease_until = statement_timestamp() WHERE ${isOf}
         RETURNING writers + readers > 0 AS is_awaited)
       SELECT ${this.#notify} FROM freed WHERE is_awaited`,
      values,
      options,
    )
  }

  async #change(
    text: string,
    values: readonly unknown[],
    { signal }: ReadOptions,
  ): Promise<readonly Row[]> {
    return (await this.#database.change([text, values], signal)).rows
  }
}

function heldLock(row: Row | undefined): HeldLock | undefined {
  if (row === undefined) return undefined
  const { token, writers, readers, declined, left } = row
  return {
    is: 'held',
    token: Number(token),
    left: Math.max(0, Number(left)),
    writers: Number(writers),
    readers: Number(readers),
    declined: Number(declined),
  }
}
