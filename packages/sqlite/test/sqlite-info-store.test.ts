import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteInfoStore, type SqliteDatabase, type SqliteInfoStoreOptions } from '@tuskit/sqlite'
import { temporaryDirectory, until } from '../../../test/support/serve.js'
import { connector, type Connection } from './better-sqlite3.js'
import { noAbort, recordOf } from '../../../test/support/records.js'

const connect = await connector()

async function setUp(options: Partial<SqliteInfoStoreOptions> = {}) {
  const file = join(await temporaryDirectory(), 'uploads.db')
  const open = () => {
    const connection = connect(file)
    onTestFinished(() => void connection.close())
    return connection
  }
  const database = open()
  return { file, open, database, store: new SqliteInfoStore({ database, ...options }) }
}

/** Returns a connection that notes what it runs. */
function noting(database: Connection, ran: string[]): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql)
      const run: typeof statement.run = (...values) => {
        ran.push(sql.trim().split(' ')[0]!)
        return statement.run(...values)
      }
      return {
        run,
        get: (...values) => statement.get(...values),
        all: statement.all.bind(statement),
      }
    },
  }
}

const ids = ['a', 'b', 'c', 'd']

test('a commit waits for the disk, whatever the default of the connection is', async () => {
  const { database, store } = await setUp()
  await store.open()
  expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
  expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
})

test('changes that come together are one transaction, and each has its own result', async () => {
  const ran: string[] = []
  const { database } = await setUp()
  const store = new SqliteInfoStore({ database: noting(database, ran) })
  await store.open()
  await store.create(recordOf('b'), noAbort)
  ran.length = 0
  const aborted = new AbortController()
  const abandoned = store.create(recordOf('e'), aborted)
  const results = Promise.allSettled([
    ...ids.map((id) => store.create(recordOf(id), noAbort)),
    store.update(recordOf('b', { revision: 3 }), noAbort),
    store.update(recordOf('b', { revision: 2 }), noAbort),
    store.delete('missing', noAbort),
  ])
  aborted.abort(new Error('No longer needed'))
  await expect(abandoned).rejects.toThrow('No longer needed')
  const outcomes = (await results).map((one) =>
    one.status === 'rejected' ? (one.reason as { code: string }).code : 'made',
  )
  expect(outcomes).toEqual([
    ...['made', 'ERR_ID_TAKEN', 'made', 'made'],
    ...['ERR_INFO_CONFLICT', 'made', 'made'],
  ])
  expect(ran.filter((word) => word === 'BEGIN' || word === 'COMMIT')).toEqual(['BEGIN', 'COMMIT'])
  expect(await store.get('e', noAbort)).toBeUndefined()
})

test('while another process writes, calls wait and the event loop runs', async () => {
  const { database, open } = await setUp()
  const ran: string[] = []
  const store = new SqliteInfoStore({ database: noting(database, ran) })
  await store.open()
  ran.length = 0
  const other = open()
  other.exec('BEGIN IMMEDIATE')
  let settled = false
  const creating = store.create(recordOf('a'), noAbort).then(() => (settled = true))
  await until(
    async () => ran,
    (words) => words.filter((word) => word === 'BEGIN').length >= 3,
  )
  expect(settled).toBe(false)
  other.exec('COMMIT')
  await creating
})

test('a lock that stays is an outage, and nothing is changed', async () => {
  const { open, store } = await setUp({ busyTimeout: 50 })
  await store.open()
  const other = open()
  other.exec('BEGIN IMMEDIATE')
  await expect(store.create(recordOf('a'), noAbort)).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
    cause: { code: 'SQLITE_BUSY' },
  })
  other.exec('ROLLBACK')
  expect(await store.get('a', noAbort)).toBeUndefined()
})

test('a call that comes later waits as long as the first', async () => {
  const { open, store } = await setUp({ busyTimeout: 500 })
  await store.open()
  const other = open()
  other.exec('BEGIN IMMEDIATE')
  const first = store.create(recordOf('a'), noAbort)
  const second = sleep(400).then(() => store.create(recordOf('b'), noAbort))
  await expect(first).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  other.exec('ROLLBACK')
  await second
  expect(await store.get('a', noAbort)).toBeUndefined()
  expect(await store.get('b', noAbort)).toEqual(recordOf('b'))
})

test('a connection that cannot write is an outage', async () => {
  const { database, store } = await setUp()
  await store.open()
  database.exec('PRAGMA query_only = ON')
  await expect(store.create(recordOf('a'), noAbort)).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
    cause: { code: expect.stringMatching(/^SQLITE_READONLY/) as string },
  })
})

test('a file that was replaced is an outage until it is back', async () => {
  const { file, store } = await setUp()
  await store.open()
  await store.create(recordOf('a'), noAbort)
  await rename(file, `${file}.away`)
  await writeFile(file, '')
  for (const call of [
    () => store.get('a', noAbort),
    () => store.create(recordOf('b'), noAbort),
    () => store.ids(noAbort)[Symbol.asyncIterator]().next(),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  }
  await rm(file)
  await rename(`${file}.away`, file)
  expect(await store.get('a', noAbort)).toEqual(recordOf('a'))
  expect(await store.get('b', noAbort)).toBeUndefined()
})

test('a log that was removed is an outage: other processes would not see what is in it', async () => {
  const { file, store } = await setUp()
  await store.open()
  await store.create(recordOf('a'), noAbort)
  await rename(`${file}-wal`, `${file}-away`)
  const creating = store.create(recordOf('b'), noAbort)
  await expect(creating).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  await rename(`${file}-away`, `${file}-wal`)
  await store.create(recordOf('b'), noAbort)
})

test('a database in memory is refused', async () => {
  const store = new SqliteInfoStore({ database: connect(':memory:') })
  await expect(store.open()).rejects.toThrow("stays in the mode 'memory'")
})

test('with schema: check, missing tables are a failure, and nothing is created', async () => {
  const { database, store } = await setUp({ schema: 'check' })
  await expect(store.open()).rejects.toThrow('has no tables tuskit_…; call ensureSchema() once')
  expect(database.prepare('SELECT name FROM sqlite_schema').all()).toEqual([])
  await store.ensureSchema()
  await store.open()
  await store.create(recordOf('a'), noAbort)
})

test('tables of a later version are used only if it allows that', async () => {
  const { database, store } = await setUp()
  await store.open()
  database.exec('UPDATE tuskit_schema SET version = 3')
  await new SqliteInfoStore({ database }).open()
  database.exec('UPDATE tuskit_schema SET oldest = 2')
  for (const schema of ['ensure', 'check'] as const) {
    await expect(new SqliteInfoStore({ database, schema }).open()).rejects.toThrow(
      'The tables tuskit_… have version 3, which a later version of @tuskit/sqlite made',
    )
  }
})

test('stores with different prefixes share a file', async () => {
  const { database, store } = await setUp()
  const other = new SqliteInfoStore({ database, tablePrefix: 'other_' })
  await store.open()
  await other.open()
  await store.create(recordOf('a'), noAbort)
  expect(await other.get('a', noAbort)).toBeUndefined()
})

test('expired records are found by an index, and ids in order', async () => {
  const { database, store } = await setUp()
  await store.open()
  for (const sql of [
    'SELECT id, expires_at FROM tuskit_uploads WHERE expires_at <= 1 AND (expires_at, id) > (1, 1)',
    "SELECT id FROM tuskit_uploads WHERE id > 'a' ORDER BY id",
  ]) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[]
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^SEARCH tuskit_uploads USING COVERING INDEX/),
    ])
  }
})

test.each([
  [{}, "'database' must be a DatabaseSync of node:sqlite or a Database of better-sqlite3"],
  [{ database: {} }, "'database' must be a DatabaseSync"],
  [
    { database: connect(':memory:'), tablePrefix: 'a"b' },
    "'tablePrefix' must be a string of letters",
  ],
  [{ database: connect(':memory:'), schema: 'create' }, "'schema' must be one of"],
  [{ database: connect(':memory:'), prefix: 'a' }, 'prefix'],
])('wrong options are named: %#', (options, message) => {
  expect(() => new SqliteInfoStore(options as SqliteInfoStoreOptions)).toThrow(message)
})
