import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import pg from 'pg'
import { StoreComposer, type Lock } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { TcpProxy } from 'tuskit/store-kit'
import { PostgresLocker, type PostgresLockerOptions } from '@tuskit/postgres'
import { createUpload, offsetOf, openPatch, serve, until } from '../../../test/support/serve.js'
import { Postgres } from '../services.js'
import { openPool } from './open-pool.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

const { signal } = new AbortController()
const requestRelease = () => true

/** So long that only notifications wake anybody within the time of a test. */
const never = 600_000

async function openLocker(
  database: string,
  options: Partial<PostgresLockerOptions> = {},
): Promise<PostgresLocker> {
  const pool = openPool(server.url(database))
  const locker = new PostgresLocker({ pool, lease: never, pollInterval: never, ...options })
  await locker.open()
  onTestFinished(() => locker.close())
  return locker
}

/** Takes a lock whose holder releases it as soon as it is asked. */
async function yielding(locker: PostgresLocker, id: string): Promise<Lock> {
  const lock = await locker.acquire(id, {
    signal,
    requestRelease: () => {
      void lock.release()
      return true
    },
  })
  return lock
}

test('a thousand uploads hold their locks at once, with a pool of ten connections', async () => {
  const database = await server.createDatabase()
  // All of them wait for a connection at the same time.
  const pool = openPool(server.url(database), { max: 10, connectionTimeoutMillis: 60_000 })
  const locker = new PostgresLocker({ pool })
  const composer = new StoreComposer().use(new MemoryStore(), new MemoryInfoStore(), locker)
  const site = await serve({ composer })
  const urls = await Promise.all(
    Array.from({ length: 1_000 }, () => createUpload(site, { 'upload-length': 2 })),
  )
  const patches = urls.map((url) => {
    const patch = openPatch(url, 0)
    patch.request.write('a')
    return patch
  })
  const held = 'SELECT count(*)::integer AS held FROM tuskit_locks WHERE held'
  await until(
    async () => (await server.query(held, { database }))[0]!.held,
    (count) => count === 1_000,
  )
  expect(pool.totalCount).toBeLessThanOrEqual(10)
  await until(
    async () => pool.idleCount,
    (count) => count >= 9,
  )
  for (const { request } of patches) request.end('b')
  const statuses = await Promise.all(patches.map(async ({ reply }) => (await reply).status))
  expect(new Set(statuses)).toEqual(new Set([204]))
  expect(await offsetOf(urls[999]!)).toBe('2')
  expect(await server.query(held, { database })).toEqual([{ held: 0 }])
})

test('a lock changes hands through notifications, from one instance to another', async () => {
  const database = await server.createDatabase()
  const [one, other] = [await openLocker(database), await openLocker(database)]
  let last = await yielding(one, 'a')
  for (let round = 0; round < 10; round++) {
    const lock = await yielding(round % 2 === 0 ? other : one, 'a')
    expect(lock.token).toBeGreaterThan(last.token)
    expect(lock.forced).toBe(false)
    last = lock
  }
  const settling = other.settle('a', { signal })
  expect(await settling).toBe('free')
})

test('without contention, no messages are sent', async () => {
  const database = await server.createDatabase()
  const locker = await openLocker(database)
  const messages: string[] = []
  const client = new pg.Client(server.url(database))
  await client.connect()
  onTestFinished(() => client.end())
  client.on('notification', ({ payload = '' }) => messages.push(payload))
  await client.query('LISTEN tuskit_locks')
  const lock = await locker.acquire('a', { signal, requestRelease })
  await lock.release()
  await client.query("SELECT pg_notify('tuskit_locks', 'end')")
  await until(
    async () => messages.length,
    (count) => count > 0,
  )
  expect(messages).toEqual(['end'])
})

test('requests that were missed while the connection that listens was lost are noticed', async () => {
  const database = await server.createDatabase()
  const [one, other] = [await openLocker(database), await openLocker(database)]
  const lock = await yielding(one, 'a')
  await server.disconnect(database)
  const waiting = await other.acquire('a', { signal, requestRelease })
  expect(waiting.token).toBeGreaterThan(lock.token)
})

test('a lock is taken once when the response is lost', async () => {
  const database = await server.createDatabase()
  const proxy = await TcpProxy.start({ port: server.port })
  onTestFinished(() => proxy.close())
  const pool = openPool(server.url(database, proxy.port))
  const one = await openLocker(database, { pool, notifications: false })
  const cut = proxy.cutAfter(0, 'downstream').then(() => proxy.restore())
  const [lock] = await Promise.all([one.acquire('a', { signal, requestRelease }), cut])
  const held = 'SELECT token::integer, held, forced FROM tuskit_locks'
  expect(await server.query(held, { database })).toEqual([
    { token: lock.token, held: true, forced: false },
  ])
  await lock.release()
  const next = await one.acquire('a', { signal, requestRelease })
  expect(next.forced).toBe(false)
})

test('messages arrive again after the server was down', async () => {
  const database = await server.createDatabase()
  const [one, other] = [await openLocker(database), await openLocker(database)]
  await server.kill()
  await expect(one.acquire('a', { signal, requestRelease })).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
  })
  await server.restart()
  const lock = await yielding(one, 'a')
  const next = await other.acquire('a', { signal, requestRelease })
  expect(next.token).toBeGreaterThan(lock.token)
})

test('tokens grow for ever, also after rows were removed and the server was killed', async () => {
  const database = await server.createDatabase()
  const locker = await openLocker(database)
  const rows = () => server.query('SELECT id FROM tuskit_locks ORDER BY id', { database })
  const age = (time: string) =>
    server.query(`UPDATE tuskit_locks SET lease_until = lease_until - interval '${time}'`, {
      database,
    })
  const released = await locker.acquire('released', { signal, requestRelease })
  await released.release()
  const abandoned = await locker.acquire('abandoned', { signal, requestRelease })
  await server.query(`UPDATE tuskit_locks SET held = false, forced = true WHERE id = 'abandoned'`, {
    database,
  })
  await locker.prune()
  expect(await rows()).toEqual([{ id: 'abandoned' }, { id: 'released' }])
  await age('2 minutes')
  await locker.prune()
  expect(await rows()).toEqual([{ id: 'abandoned' }])
  await age('2 days')
  await locker.prune()
  expect(await rows()).toEqual([])
  await server.restart()
  const next = await until(
    () => locker.acquire('released', { signal, requestRelease }).catch(() => undefined),
    (lock) => lock !== undefined,
  )
  expect(next!.token).toBeGreaterThan(abandoned.token)
})

test('without notifications, locks change hands by polling', async () => {
  const database = await server.createDatabase()
  const options = { notifications: false, pollInterval: 50 }
  const one = await openLocker(database, options)
  const other = await openLocker(database, options)
  const listening = `SELECT count(*)::integer AS count FROM pg_stat_activity
    WHERE datname = $1 AND query LIKE 'LISTEN%'`
  expect(await server.query(listening, { values: [database] })).toEqual([{ count: 0 }])
  await yielding(one, 'a')
  const lock = await other.acquire('a', { signal, requestRelease })
  expect(lock.held()).toBe(true)
})

test('close gives the connection that listens back', async () => {
  const database = await server.createDatabase()
  const pool = openPool(server.url(database))
  const locker = new PostgresLocker({ pool })
  const removed = once(pool, 'remove')
  await locker.open()
  await locker.close()
  await removed
  expect(pool.totalCount - pool.idleCount).toBe(0)
})

test.each([
  [{ lease: 0 }, "PostgresLocker: option 'lease' must be a number of milliseconds"],
  [{ listener: {} }, "PostgresLocker: option 'listener' must be a function"],
  [{ notification: true }, "there is no option 'notification'; did you mean 'notifications'?"],
])('the options %o are refused', (options, message) => {
  const pool = openPool(server.url('postgres'))
  const wrong = { pool, ...options } as PostgresLockerOptions
  expect(() => new PostgresLocker(wrong)).toThrow(message)
})
