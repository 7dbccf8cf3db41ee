import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { MysqlInfoStore, MysqlLocker } from '@tuskit/mysql'
import type { HeldLock, TakenLock } from 'tuskit/store-kit'
import { noAbort } from '../../../test/support/records.js'
import { until } from '../../../test/support/serve.js'
import { MysqlServer } from '../services.js'
import { Database } from '../src/database.js'
import { MysqlLocks } from '../src/mysql-locks.js'

let service: MysqlServer

beforeAll(async () => {
  service = await MysqlServer.start()
})
afterAll(() => service.stop())

async function setUp(lease = 60_000) {
  const database = await service.createDatabase()
  const pool = service.pool(database)
  onTestFinished(() => pool.end())
  await new MysqlInfoStore({ pool }).ensureSchema()
  const locks = new MysqlLocks(new Database(pool), 'tuskit_locks', lease)
  const take = (caller: string = randomUUID()) => locks.take('a', caller, noAbort)
  const rows = async () => (await pool.query('SELECT * FROM tuskit_locks'))[0]
  const expire = () => pool.query('UPDATE tuskit_locks SET ends_at = ends_at - 100000000')
  return { database, pool, locks, take, rows, expire }
}

/** Expects a lock to be taken. */
async function taken(taking: Promise<TakenLock | HeldLock>): Promise<TakenLock> {
  const lock = await taking
  expect(lock.is).toBe('taken')
  return lock as TakenLock
}

test('a caller that repeats its call gets the same token, and others do not get the lock', async () => {
  const { locks, take } = await setUp()
  const first = await taken(take('first'))
  expect(await take('first')).toEqual(first)
  const { token } = first
  const left = expect.closeTo(60_000, -4) as number
  const held = { is: 'held', token, left, writers: 0, readers: 0, declined: 0 }
  expect(await take('second')).toEqual(held)
  expect(await locks.look('a', noAbort)).toEqual(held)
})

test('of many callers one gets the lock, also when it has expired', async () => {
  const { take, expire } = await setUp()
  for (const forced of [false, true]) {
    const locks = await Promise.all(Array.from({ length: 12 }, () => take()))
    expect(locks.filter((lock) => lock.is === 'taken')).toMatchObject([{ forced }])
    await expire()
  }
})

test('callers that wait for the same row do not fail by a deadlock', async () => {
  const { pool, take } = await setUp()
  await taken(take('first'))
  const other = await pool.getConnection()
  onTestFinished(() => other.release())
  await other.query('START TRANSACTION')
  await other.query('DELETE FROM tuskit_locks')
  const taking = Promise.all([take(), take(), take()])
  const waiting = () =>
    service.asRoot(async (connection) => {
      const sql = 'SELECT 1 FROM information_schema.processlist WHERE info LIKE ?'
      return (await connection.query(sql, ['INSERT INTO tuskit_locks%']))[0] as unknown[]
    })
  await until(waiting, ({ length }) => length === 3)
  await other.query('COMMIT')
  expect((await taking).filter((lock) => lock.is === 'taken')).toHaveLength(1)
})

test('a lock is forced until a holder says otherwise, and leaves no row when it is free', async () => {
  const { locks, take, rows, expire } = await setUp()
  const first = await taken(take())
  await expire()
  const second = await taken(take())
  expect(second.forced).toBe(true)
  // The first one knows nothing of it.
  await locks.release('a', first, false, noAbort)
  expect(await locks.renew('a', first, noAbort)).toBeUndefined()
  expect(await locks.look('a', noAbort)).toMatchObject({ token: second.token })

  await locks.release('a', second, true, noAbort)
  expect(await locks.look('a', noAbort)).toBeUndefined()
  expect(await locks.ask('a', second.token, 'writer', noAbort)).toBeUndefined()
  const third = await taken(take())
  expect(third.forced).toBe(true)
  await locks.release('a', third, false, noAbort)
  expect(await rows()).toEqual([])
  expect(await take()).toMatchObject({ forced: false })
})

test('a caller that leaves frees the lock that it has got without knowing', async () => {
  const { locks, take, expire, rows } = await setUp()
  await taken(take('first'))
  await locks.leave('a', 'second', noAbort)
  expect(await locks.look('a', noAbort)).toBeDefined()
  await locks.leave('a', 'first', noAbort)
  expect(await rows()).toEqual([])
  await taken(take('third'))
  await expire()
  await taken(take('fourth'))
  await locks.leave('a', 'fourth', noAbort)
  expect(await take()).toMatchObject({ is: 'taken', forced: true })
})

test('requests are counted, and a holder declines them', async () => {
  const { locks, take } = await setUp()
  const lock = await taken(take())
  const ask = (requester: 'writer' | 'reader') => locks.ask('a', lock.token, requester, noAbort)
  expect([await ask('reader'), await ask('writer'), await ask('reader')]).toEqual([1, 1, 2])
  await locks.decline('a', lock, 1, noAbort)
  // One that is late.
  await locks.decline('a', lock, 0, noAbort)
  expect(await locks.renew('a', lock, noAbort)).toMatchObject({
    writers: 1,
    readers: 2,
    declined: 1,
  })
})

test('tokens grow when rows are removed and the server is restarted', async () => {
  const { pool, locks, take, expire, rows } = await setUp()
  const first = await taken(take())
  await locks.release('a', first, false, noAbort)
  const second = await taken(take())
  await locks.prune(noAbort)
  expect(await rows()).toHaveLength(1)
  await expire()
  await locks.prune(noAbort)
  expect(await rows()).toEqual([])
  await service.restart()
  await pool.query('SELECT 1').catch(() => {})
  const third = await taken(take())
  expect(second.token).toBeGreaterThan(first.token)
  expect(third.token).toBeGreaterThan(second.token)
  expect(third.forced).toBe(false)
})

test('an upload that nobody else wants costs one statement to lock and one to release', async () => {
  const { pool } = await setUp()
  const locker = new MysqlLocker({ pool })
  await locker.open()
  onTestFinished(() => locker.close())
  const count = () =>
    service.asRoot(async (connection) => {
      const sql =
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_insert', 'Com_delete', 'Com_select', 'Com_update')"
      const [found] = await connection.query(sql)
      const named = (found as { Variable_name: string; Value: string }[]).map((row) => [
        row.Variable_name,
        Number(row.Value),
      ])
      return Object.fromEntries(named) as Record<string, number>
    })
  const before = await count()
  const lock = await locker.acquire('a', { ...noAbort, requestRelease: () => true })
  await lock.release()
  const after = await count()
  const difference = Object.entries(after).map(([name, value]) => [name, value - before[name]!])
  expect(Object.fromEntries(difference)).toEqual({
    Com_insert: 1,
    Com_delete: 1,
    Com_select: 0,
    Com_update: 0,
  })
})
