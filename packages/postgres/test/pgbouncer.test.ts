import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import pg from 'pg'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { PostgresInfoStore, PostgresLocker, type PostgresLockerOptions } from '@tuskit/postgres'
import { PgBouncer, Postgres } from '../services.js'
import { openPool } from './open-pool.js'

let server: Postgres
let bouncer: PgBouncer

beforeAll(async () => {
  server = await Postgres.start()
  bouncer = await PgBouncer.start(server)
})
afterAll(async () => {
  await bouncer.stop()
  await server.stop()
})

const { signal } = new AbortController()

conformanceSuite({
  test: (name, run, limit) => test(`behind PgBouncer, ${name}`, run, limit),
  slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
  async factory() {
    const database = await server.createDatabase()
    return { database, composer: compose(database) }
  },
  another: ({ database }) => compose(database),
})

function compose(database: string): StoreComposer {
  const pool = openPool(server.url(database, bouncer.port))
  return new StoreComposer().use(new PostgresInfoStore({ pool }))
}

async function lockerOf(
  database: string,
  options: Partial<PostgresLockerOptions>,
): Promise<PostgresLocker> {
  const pool = openPool(server.url(database, bouncer.port))
  const locker = new PostgresLocker({ pool, ...options })
  onTestFinished(() => locker.close())
  return locker
}

test('a locker that cannot listen says so', async () => {
  const database = await server.createDatabase()
  const locker = await lockerOf(database, {})
  await expect(locker.open()).rejects.toThrow(
    "PostgresLocker: notifications do not arrive, as behind PgBouncer in transaction mode. Let 'listener' connect to the server itself, or set 'notifications' to false",
  )
})

test.each([
  ['a direct connection to listen', 600_000, true],
  ['polling', 50, false],
])('locks work through PgBouncer with %s', async (_, pollInterval, notifications) => {
  const database = await server.createDatabase()
  const listener = () => new pg.Client(server.url(database))
  const options = { listener, notifications, lease: 600_000, pollInterval }
  const [one, other] = [await lockerOf(database, options), await lockerOf(database, options)]
  await one.open()
  await other.open()
  const lock = await one.acquire('a', {
    signal,
    requestRelease() {
      void lock.release()
      return true
    },
  })
  const next = await other.acquire('a', { signal, requestRelease: () => true })
  expect(next.token).toBeGreaterThan(lock.token)
  expect(lock.held()).toBe(false)
})
