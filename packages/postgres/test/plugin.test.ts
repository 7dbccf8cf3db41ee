import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import { plugin } from '@tuskit/postgres/plugin'
import { download, listen, post, until } from '../../../test/support/serve.js'
import { PgBouncer, Postgres } from '../services.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

/** Uploads a file through parts from URLs, and stops the server. Calls `during` before that. */
async function upload(info: string, locks: string, during: () => Promise<void>): Promise<void> {
  const parts = [plugin.info.postgres(info), plugin.locks.postgresql(locks)]
  const composer = new StoreComposer().use(new MemoryStore(), ...parts)
  const site = createUploadServer(createHandler({ basePath: '/files', composer }))
  const origin = `http://127.0.0.1:${await listen(site)}`
  try {
    const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
    expect(created.status).toBe(201)
    expect(await download(origin + created.headers.location!)).toBe('hello')
    await during()
  } finally {
    await site.stop({ timeout: 1_000 })
  }
}

test('URLs describe records and locks, which share a pool that ends with the server', async () => {
  const database = await server.createDatabase()
  const count = async () => {
    const all = 'SELECT count(*)::integer AS count FROM pg_stat_activity WHERE datname = $1'
    const [row] = await server.query(all, { values: [database] })
    return Number(row!.count)
  }
  const url = `${server.url(database)}?application_name=tuskit&table-prefix=mine_&max-connections=2`
  await upload(url, `${url}&lease=20000&poll-interval=500`, async () => {
    expect(await count()).toBe(2)
    const tables = `SELECT id FROM mine_uploads JOIN mine_locks USING (id)`
    expect(await server.query(tables, { database })).toHaveLength(1)
  })
  await until(count, (connections) => connections === 0)
})

test('locks can have a connection of their own to listen, or poll', async () => {
  const database = await server.createDatabase()
  const bouncer = await PgBouncer.start(server)
  try {
    const url = server.url(database, bouncer.port)
    const direct = encodeURIComponent(server.url(database))
    await upload(url, `${url}?listener=${direct}`, async () => {
      const listening = "SELECT query FROM pg_stat_activity WHERE datname = $1 AND query ~ 'LISTEN'"
      expect(await server.query(listening, { values: [database] })).toHaveLength(1)
    })
    await upload(url, `${url}?notifications=no`, async () => {})
  } finally {
    await bouncer.stop()
  }
})

test.each([
  ['postgres://db/a?leese=1', 'there is no option leese, only table-prefix, schema'],
  ['postgres://db/a?lease=10s', "lease must be a whole number, not '10s'"],
  ['postgres://db/a?notifications=maybe', "notifications must be yes or no, not 'maybe'"],
  ['postgres://db/a?schema=create', "schema must be ensure or check, not 'create'"],
])('%s is refused', (url, message) => {
  expect(() => plugin.locks.postgres(url)).toThrow(message)
})
