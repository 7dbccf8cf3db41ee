import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { TcpProxy } from 'tuskit/store-kit'
import { PostgresInfoStore, PostgresLocker } from '@tuskit/postgres'
import { readPage } from '../../../test/docs/pages.js'
import { Postgres } from '../services.js'
import { openPool } from './open-pool.js'
import { openTooLate } from '../../../test/support/open-too-late.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

/** Returns everything that a database contains, as text. */
async function contentsOf(database: string): Promise<unknown> {
  const columns = `SELECT table_schema, table_name, column_name, data_type, collation_name,
      is_nullable, column_default FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3`
  const others = `SELECT indexdef AS name FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT sequencename FROM pg_sequences ORDER BY 1`
  return [
    await server.query(columns, { database }),
    await server.query(others, { database }),
    await server.query('SELECT * FROM tuskit_schema ORDER BY 1', { database }),
  ]
}

test('many processes can create the tables at the same time', async () => {
  for (let round = 0; round < 3; round++) {
    const database = await server.createDatabase()
    const pools = Array.from({ length: 8 }, () => openPool(server.url(database)))
    await Promise.all(
      pools.flatMap((pool) => [
        new PostgresInfoStore({ pool }).ensureSchema(),
        new PostgresLocker({ pool }).ensureSchema(),
      ]),
    )
    expect(await server.query('SELECT * FROM tuskit_schema ORDER BY 1', { database })).toEqual([
      { part: 'locks', version: 1, oldest: 1 },
      { part: 'uploads', version: 1, oldest: 1 },
    ])
  }
})

test('a store whose connection hangs while it opens can be opened again', async () => {
  const database = await server.createDatabase()
  const proxy = await TcpProxy.start({ port: server.port })
  onTestFinished(() => proxy.close())
  const pool = openPool(server.url(database))
  const connections = [await openPool(server.url(database, proxy.port)).connect()]
  proxy.stall()
  const store = new PostgresInfoStore({
    pool: {
      on: (event, listener) => pool.on(event, listener),
      connect: async () => connections.shift() ?? pool.connect(),
    },
  })
  await expect(openTooLate(() => store.open())).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
  })
  await store.open()
})

test('the SQL of the README creates the same tables', async () => {
  const [byHand, byCode] = [await server.createDatabase(), await server.createDatabase()]
  const { text } = await readPage('packages/postgres/README.md')
  await server.query(/^```sql\n(.*?)^```$/ms.exec(text)![1]!, { database: byHand })
  const pool = openPool(server.url(byCode))
  await new PostgresInfoStore({ pool }).ensureSchema()
  await new PostgresLocker({ pool }).ensureSchema()
  expect(await contentsOf(byHand)).toEqual(await contentsOf(byCode))
  const checked = { pool: openPool(server.url(byHand)), schema: 'check' } as const
  await new PostgresInfoStore(checked).open()
})

test('with schema: check, missing tables are an error that says what to do', async () => {
  const database = await server.createDatabase()
  const options = { pool: openPool(server.url(database)), schema: 'check' } as const
  await expect(new PostgresInfoStore(options).open()).rejects.toThrow(
    'PostgresInfoStore: the table "tuskit_uploads" is missing or too old; call ensureSchema() with',
  )
  await expect(new PostgresLocker(options).open()).rejects.toThrow(
    'PostgresLocker: the table "tuskit_locks" is missing or too old; call ensureSchema() with',
  )
  expect(await server.query(`SELECT to_regclass('tuskit_schema') AS table`, { database })).toEqual([
    { table: null },
  ])
})

test('a role that may not create tables can use those that are there', async () => {
  const database = await server.createDatabase()
  await server.query('CREATE ROLE writer LOGIN')
  const pool = openPool(server.url(database).replace('postgres@', 'writer@'))
  const refused = new PostgresInfoStore({ pool })
  await expect(refused.open()).rejects.toThrow(
    'PostgresInfoStore: this role may not create or read the tables; let a role that may create them do so, and give this one rights to use them',
  )
  await new PostgresInfoStore({ pool: openPool(server.url(database)) }).ensureSchema()
  await new PostgresLocker({ pool: openPool(server.url(database)) }).ensureSchema()
  const { text } = await readPage('docs/storage/databases.md')
  const [grants] = /^GRANT USAGE ON SCHEMA[^`]+/m.exec(text)!
  await server.query(grants.replaceAll('TO tuskit', 'TO writer'), { database })
  await refused.open()
  const locker = new PostgresLocker({ pool })
  await locker.open()
  const lock = await locker.acquire('a', {
    signal: AbortSignal.timeout(60_000),
    requestRelease: () => true,
  })
  await lock.release()
  await locker.close()
  expect(await refused.get('a', { signal: AbortSignal.timeout(60_000) })).toBe(undefined)
})

test('a later schema is used if it allows that, and refused otherwise', async () => {
  const database = await server.createDatabase()
  const pool = openPool(server.url(database))
  const store = new PostgresInfoStore({ pool })
  await store.ensureSchema()
  const become = (values: string) =>
    server.query(`UPDATE tuskit_schema SET (version, oldest) = (${values})`, { database })
  await become('2, 1')
  await store.open()
  await new PostgresInfoStore({ pool, schema: 'check' }).open()
  expect(await server.query('SELECT version FROM tuskit_schema', { database })).toEqual([
    { version: 2 },
  ])
  await become('3, 2')
  const message =
    'PostgresInfoStore: a later release has changed "tuskit_uploads": it needs version 2, and this release knows 1'
  await expect(store.open()).rejects.toThrow(message)
  await expect(new PostgresInfoStore({ pool, schema: 'check' }).open()).rejects.toThrow(message)
})

test('an encoding that lacks characters is refused', async () => {
  const options = "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
  await server.query(`CREATE DATABASE latin ${options}`)
  const store = new PostgresInfoStore({ pool: openPool(server.url('latin')) })
  await expect(store.open()).rejects.toThrow(
    'the encoding of the database must be UTF8, not LATIN1',
  )
})

test('a prefix can name a schema, and keeps tables apart', async () => {
  const database = await server.createDatabase()
  await server.query('CREATE SCHEMA "user"', { database })
  const pool = openPool(server.url(database))
  for (const tablePrefix of ['user.Team_', 'user.other_']) {
    await new PostgresInfoStore({ pool, tablePrefix }).ensureSchema()
    await new PostgresLocker({ pool, tablePrefix }).ensureSchema()
  }
  const tables = 'SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1'
  expect(await server.query(tables, { database, values: ['user'] })).toEqual(
    [
      'Team_locks',
      'Team_schema',
      'Team_uploads',
      'other_locks',
      'other_schema',
      'other_uploads',
    ].map((tablename) => ({ tablename })),
  )
})

test.each([
  ['tuskit"; DROP TABLE a; --', "'tablePrefix' must be 1 to 40 of A-Z a-z 0-9 _"],
  ['a.b.c', "'tablePrefix' must be 1 to 40"],
])('the prefix %s is refused', async (tablePrefix, message) => {
  const pool = openPool(server.url('postgres'))
  expect(() => new PostgresInfoStore({ pool, tablePrefix })).toThrow(message)
})
