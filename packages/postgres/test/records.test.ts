import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { metadataOf, type Upload } from 'tuskit'
import { TcpProxy } from 'tuskit/store-kit'
import { PostgresInfoStore } from '@tuskit/postgres'
import { until } from '../../../test/support/serve.js'
import { Postgres } from '../services.js'
import { openPool } from './open-pool.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

const { signal } = new AbortController()
const tooLate = new Error('Too late')

function recordOf(id: string, members: Partial<Upload> = {}): Upload {
  return {
    ...{ id, revision: 1, protocol: 'tus', length: 1, finish: 'implied' },
    ...{ metadata: metadataOf({}), storage: { kind: 'test', at: {} }, state: { kind: 'open' } },
    createdAt: '2026-01-02T03:04:05.678Z',
    ...members,
  } as Upload
}

async function openStore(port = server.port) {
  const database = await server.createDatabase()
  const store = new PostgresInfoStore({ pool: openPool(server.url(database, port)) })
  await store.open()
  return { store, database }
}

test('a record is readable in SQL, unless jsonb has not all of its characters', async () => {
  const { store, database } = await openStore()
  const texts = { plain: 'é \u2028', nul: 'a\u0000b', half: '\ud800', backslash: '\\u0000' }
  for (const [id, name] of Object.entries(texts)) {
    const record = recordOf(id, { storage: { kind: 'test', at: { name } } })
    await store.create(record, { signal })
    expect(await store.get(id, { signal })).toEqual(record)
    const next = { ...record, revision: 2 }
    await store.update(next, { signal })
    expect(await store.get(id, { signal })).toEqual(next)
  }
  const text = `SELECT id, record->'storage'->'at'->>'name' AS name FROM tuskit_uploads
    WHERE NOT record ? 'base64' ORDER BY id`
  expect(await server.query(text, { database })).toContainEqual({ id: 'plain', name: texts.plain })
  const unreadable = `SELECT id FROM tuskit_uploads WHERE record ? 'base64' AND id <> 'backslash'`
  expect(await server.query(`${unreadable} ORDER BY id`, { database })).toEqual([
    { id: 'half' },
    { id: 'nul' },
  ])
})

test('a record of a later release is not read as damaged', async () => {
  const { store, database } = await openStore()
  await store.create(recordOf('a'), { signal })
  await server.query(`UPDATE tuskit_uploads SET record = record || '{"format": 2}'`, { database })
  await expect(store.get('a', { signal })).rejects.toMatchObject({ code: 'ERR_INFO_FORMAT' })
  await server.query(`UPDATE tuskit_uploads SET record = '"damaged"'`, { database })
  await expect(store.get('a', { signal })).rejects.toMatchObject({ code: 'ERR_INFO_CORRUPT' })
})

test('a change whose response is lost is made once, and succeeds', async () => {
  const proxy = await TcpProxy.start({ port: server.port })
  onTestFinished(() => proxy.close())
  const { store } = await openStore(proxy.port)
  /** Makes a change whose response does not arrive. */
  const lost = async (change: () => Promise<void>) => {
    const cut = proxy.cutAfter(0, 'downstream').then(() => proxy.restore())
    const outcome = change()
    await Promise.all([cut, outcome.catch(() => {})])
    await outcome
  }
  const record = recordOf('a')
  const [second, third] = [
    { ...record, revision: 2, length: 2 },
    { ...record, revision: 3 },
  ]
  await lost(() => store.create(record, { signal }))
  await lost(() => store.update(second, { signal }))
  expect(await store.get('a', { signal })).toEqual(second)
  await lost(() =>
    expect(store.create(third, { signal })).rejects.toMatchObject({ code: 'ERR_ID_TAKEN' }),
  )
  const stale = { ...second, length: 3 }
  await lost(() =>
    expect(store.update(stale, { signal })).rejects.toMatchObject({ code: 'ERR_INFO_CONFLICT' }),
  )
  await lost(() => store.delete('a', { signal }))
  expect(await store.get('a', { signal })).toBe(undefined)
})

test('a list leaves no transaction open between its pages', async () => {
  const { store, database } = await openStore()
  const at = '2026-01-02T03:04:05.678Z'
  for (let start = 0; start < 1200; start += 100) {
    const ids = Array.from({ length: 100 }, (_, i) => `u${start + i}`)
    await Promise.all(ids.map((id) => store.create(recordOf(id, { expiresAt: at }), { signal })))
  }
  const now = new Date('2026-03-01T00:00:00.000Z')
  for (const list of [store.ids({ signal }), store.expired(now, { signal })]) {
    let count = 0
    for await (const _ of list) {
      if (++count !== 501) continue
      const open = `SELECT state FROM pg_stat_activity
        WHERE datname = $1 AND pid <> pg_backend_pid() AND state <> 'idle'`
      expect(await server.query(open, { values: [database] })).toEqual([])
    }
    expect(count).toBe(1200)
  }
})

test('times that are set in SQL, to the microsecond, do not repeat a page for ever', async () => {
  const { store, database } = await openStore()
  const at = '2026-01-02T03:04:05.678Z'
  for (let i = 0; i < 500; i++) await store.create(recordOf(`u${i}`, { expiresAt: at }), { signal })
  await server.query(
    `UPDATE tuskit_uploads SET expires_at = expires_at + interval '123 microseconds'`,
    { database },
  )
  const ids = new Set<string>()
  for await (const id of store.expired(new Date('2026-03-01T00:00:00.000Z'), { signal })) {
    expect(ids).not.toContain(id)
    ids.add(id)
  }
  expect(ids.size).toBe(500)
})

test.each([
  ['53100', 'ERR_STORAGE_FULL'],
  ['53200', 'ERR_STORAGE_UNAVAILABLE'],
  ['25006', 'ERR_STORAGE_UNAVAILABLE'],
  ['40001', 'ERR_STORAGE_UNAVAILABLE'],
  ['57014', 'ERR_STORAGE_UNAVAILABLE'],
  ['42501', 'ERR_STORAGE_UNAVAILABLE'],
  ['23514', '23514'],
])('the condition %s of the server is %s', async (state, code) => {
  const { store, database } = await openStore()
  const trigger = `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '${state}'; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON tuskit_uploads EXECUTE FUNCTION fail()`
  await server.query(trigger, { database })
  await expect(store.create(recordOf('a'), { signal })).rejects.toMatchObject({ code })
  expect(await store.get('a', { signal })).toBe(undefined)
})

test('a missing table is no missing record', async () => {
  const { store, database } = await openStore()
  await server.query('DROP TABLE tuskit_uploads', { database })
  await expect(store.get('a', { signal })).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
  })
})

test('an idle connection that is lost does not end the process', async () => {
  const { store, database } = await openStore()
  await store.create(recordOf('a'), { signal })
  await server.disconnect(database)
  expect(await store.get('a', { signal })).toEqual(recordOf('a'))
})

test('a read ends with its signal while the server hangs, and gives up its connection', async () => {
  const database = await server.createDatabase()
  const pool = openPool(server.url(database), { max: 1 })
  const store = new PostgresInfoStore({ pool })
  await store.open()
  await server.pause()
  try {
    const controller = new AbortController()
    const reading = store.get('a', { signal: controller.signal })
    await until(
      async () => pool.idleCount,
      (count) => count === 0,
    )
    controller.abort(tooLate)
    await expect(reading).rejects.toBe(tooLate)
    await until(
      async () => pool.totalCount,
      (count) => count === 0,
    )
  } finally {
    await server.resume()
  }
  await store.create(recordOf('a'), { signal })
})

test('a change that waits for others ends with its signal, and gives up its connection', async () => {
  const database = await server.createDatabase()
  const pool = openPool(server.url(database), { max: 1 })
  const store = new PostgresInfoStore({ pool })
  await store.open()
  await store.create(recordOf('a'), { signal })
  const other = await openPool(server.url(database)).connect()
  await other.query('BEGIN; LOCK TABLE tuskit_uploads')
  try {
    const controller = new AbortController()
    const updating = store.update({ ...recordOf('a'), revision: 2 }, { signal: controller.signal })
    const waiting =
      "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'"
    await until(
      () => server.query(waiting, { values: [database] }),
      ({ length }) => length === 1,
    )
    controller.abort(tooLate)
    await expect(updating).rejects.toBe(tooLate)
  } finally {
    await other.query('ROLLBACK')
    other.release()
  }
  expect(await store.get('a', { signal })).toMatchObject({ id: 'a' })
})
