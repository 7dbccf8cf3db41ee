import { createPool, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { TcpProxy } from 'tuskit/store-kit'
import { MysqlInfoStore, MysqlLocker, type MysqlInfoStoreOptions } from '@tuskit/mysql'
import { plugin } from '@tuskit/mysql/plugin'
import { MysqlServer } from '../services.js'
import { mysqlError } from '../src/mysql-error.js'
import { readPage } from '../../../test/docs/pages.js'
import { noAbort, recordOf } from '../../../test/support/records.js'
import { until } from '../../../test/support/serve.js'
import { openTooLate } from '../../../test/support/open-too-late.js'

let service: MysqlServer

beforeAll(async () => {
  service = await MysqlServer.start()
})
afterAll(() => service.stop())

async function setUp(options: object = {}) {
  const database = await service.createDatabase()
  const pool = createPool({ uri: service.url(database), ...options })
  onTestFinished(() => pool.end())
  return { database, pool }
}

test('stores that open at the same time create the tables once', async () => {
  const { database, pool } = await setUp()
  const pools = Array.from({ length: 6 }, () => service.pool(database))
  onTestFinished(async () => void (await Promise.all(pools.map((one) => one.end()))))
  const parts = pools.flatMap((one) => [
    new MysqlInfoStore({ pool: one }),
    new MysqlLocker({ pool: one }),
  ])
  await Promise.all(parts.map((part) => part.open()))
  await Promise.all(parts.map((part) => part.close()))
  const [rows] = await pool.query('SELECT * FROM tuskit_schema')
  expect(rows).toEqual([{ version: 1, oldest: 1 }])
})

test('with schema: check, missing tables are a failure, and nothing is created', async () => {
  const { pool } = await setUp()
  const store = new MysqlInfoStore({ pool, schema: 'check' })
  await expect(store.open()).rejects.toThrow('has no tables tuskit_…; call ensureSchema() once, or')
  expect((await pool.query('SHOW TABLES'))[0]).toEqual([])
  await store.ensureSchema()
  await store.open()
  await store.create(recordOf('a'), noAbort)
})

test('a user that may not create tables gets advice, and can use those that are there', async () => {
  const { database, pool: administrator } = await setUp()
  const { text } = await readPage('docs/storage/databases.md')
  const [grant] = /^GRANT [^;]+ ON uploads\.\* TO 'tuskit'@'%'/m.exec(text)!
  await service.asRoot(async (root) => {
    await root.query("CREATE USER 'tuskit'@'%' IDENTIFIED BY 'a'")
    await root.query(grant.replace('uploads.', `${database}.`))
  })
  const pool = createPool(`mysql://tuskit:a@127.0.0.1:${service.port}/${database}`)
  onTestFinished(() => pool.end())
  await expect(new MysqlInfoStore({ pool }).open()).rejects.toThrow(
    'This user may not create the tables tuskit_…; let another user call ensureSchema(), or run the SQL of the README',
  )
  await new MysqlInfoStore({ pool: administrator }).ensureSchema()
  const store = new MysqlInfoStore({ pool })
  await store.open()
  await store.create(recordOf('a'), noAbort)
})

test('the SQL of the README creates the same tables', async () => {
  const [byHand, byCode] = [await setUp({ multipleStatements: true }), await setUp()]
  const { text } = await readPage('packages/mysql/README.md')
  await byHand.pool.query(/^```sql\n(CREATE .*?)^```$/ms.exec(text)![1]!)
  await new MysqlInfoStore({ pool: byCode.pool }).ensureSchema()
  const tables = async ({ pool }: typeof byHand) => {
    const names = ['tuskit_uploads', 'tuskit_locks', 'tuskit_schema']
    const shown = names.map((name) => pool.query(`SHOW CREATE TABLE ${name}`))
    const [rows] = await pool.query('SELECT * FROM tuskit_schema')
    return [rows, (await Promise.all(shown)).map(([row]) => row)]
  }
  expect(await tables(byHand)).toEqual(await tables(byCode))
})

test('tables of a later version are used only if it allows that', async () => {
  const { pool } = await setUp()
  await new MysqlInfoStore({ pool }).ensureSchema()
  await pool.query('UPDATE tuskit_schema SET version = 3')
  await new MysqlInfoStore({ pool }).open()
  await pool.query('UPDATE tuskit_schema SET oldest = 2')
  for (const schema of ['ensure', 'check'] as const) {
    await expect(new MysqlInfoStore({ pool, schema }).open()).rejects.toThrow(
      'The tables tuskit_… have version 3, which a later version of @tuskit/mysql made',
    )
  }
})

test.each(['latin1', 'sjis'])('records survive a pool and tables with %s', async (charset) => {
  const { database, pool } = await setUp({ charset })
  await service.asRoot((connection) =>
    connection.query(`ALTER DATABASE ${database} CHARACTER SET ${charset}`),
  )
  const store = new MysqlInfoStore({ pool })
  await store.open()
  const name = 'é €\u{1f600}\u0000 "\\\'-- '
  for (const [i, value] of [name, `${name}\ud800`, '\udc00'].entries()) {
    const record = recordOf(`a${i}`, { metadata: { raw: value, values: { value } } })
    await store.create(record, noAbort)
    expect(await store.get(record.id, noAbort)).toEqual(record)
    await store.update({ ...record, revision: 2 }, noAbort)
  }
  const sql = "SELECT JSON_VALUE(record, '$.metadata.values.value') AS value FROM tuskit_uploads"
  const found = service.asRoot(async (connection) => {
    await connection.changeUser({ database })
    return (await connection.query(`${sql} WHERE id = 'a0'`))[0]
  })
  expect(await found).toEqual([{ value: name }])
})

test.each([
  { supportBigNumbers: true, bigNumberStrings: true },
  { rowsAsArray: true },
  { nestTables: true },
  { typeCast: false },
  { typeCast: (field: { string(): unknown }) => field.string() },
  { namedPlaceholders: true, multipleStatements: true, connectionLimit: 1 },
])('options of the pool change neither records nor locks: %j', async (options) => {
  const { pool } = await setUp(options)
  const [store, locker] = [new MysqlInfoStore({ pool }), new MysqlLocker({ pool, lease: 1_000 })]
  await store.open()
  await locker.open()
  onTestFinished(() => locker.close())
  const record = recordOf('a', { expiresAt: '2026-01-02T03:04:05.678Z' })
  await store.create(record, noAbort)
  expect(await store.get('a', noAbort)).toEqual(record)
  expect(await store.expired(new Date(), noAbort).next()).toMatchObject({ value: 'a' })

  const lock = await locker.acquire('a', { ...noAbort, requestRelease: () => false })
  expect(lock.token).toEqual(expect.any(Number))
  const other = new MysqlLocker({ pool, lease: 1_000, pollInterval: 100 })
  expect(await other.settle('a', noAbort)).toBe('held')
  // Longer than the lease, so it was renewed.
  const soon = { signal: AbortSignal.timeout(1_500), requestRelease: () => false }
  await expect(other.acquire('a', soon)).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(lock.held()).toBe(true)
  await lock.release()
})

test('a pool without autocommit is refused', async () => {
  const { pool } = await setUp()
  const connections = {
    async getConnection() {
      const connection = await pool.getConnection()
      await connection.query('SET autocommit = 0')
      return connection
    },
  }
  const store = new MysqlInfoStore({ pool: connections })
  await expect(store.open()).rejects.toThrow('must have autocommit')
})

test('a pool without a free connection is an outage', async () => {
  for (const options of [{ queueLimit: 1 }, { waitForConnections: false }]) {
    const { pool } = await setUp({ connectionLimit: 1, ...options })
    const store = new MysqlInfoStore({ pool })
    await store.open()
    const connection = await pool.getConnection()
    const signal = AbortSignal.timeout(50)
    const [first, second] = [store.get('a', { signal }).catch(() => {}), store.get('a', noAbort)]
    await expect(second).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    await first
    connection.release()
    expect(await store.get('a', noAbort)).toBeUndefined()
  }
})

test('a call whose signal aborts rejects with its reason', async () => {
  const { pool } = await setUp({ connectionLimit: 1 })
  const store = new MysqlInfoStore({ pool })
  await store.open()
  const connection = await pool.getConnection()
  onTestFinished(() => connection.release())
  const signal = AbortSignal.timeout(10)
  const error: unknown = await store.get('a', { signal }).catch((error: unknown) => error)
  expect(error).toBe(signal.reason)
})

test('a part whose connection hangs while it opens can be opened again', async () => {
  const { database, pool } = await setUp()
  const proxy = await TcpProxy.start({ port: service.port })
  onTestFinished(() => proxy.close())
  const far = service.pool(database, proxy.port)
  const hanging = await far.getConnection()
  proxy.stall()
  onTestFinished(() => far.end())
  const connections = [hanging]
  const getConnection = async () => connections.shift() ?? pool.getConnection()
  const store = new MysqlInfoStore({ pool: { getConnection } })
  await expect(openTooLate(() => store.open())).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
  })
  await store.open()
  expect(await store.get('a', noAbort)).toBeUndefined()
})

test('records are found by an index', async () => {
  const { pool } = await setUp()
  const store = new MysqlInfoStore({ pool })
  await store.open()
  const expiresAt = '2026-01-02T03:04:05.678Z'
  await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      store.create(recordOf(`a${i}`, i < 10 ? { expiresAt } : {}), noAbort),
    ),
  )
  await pool.query('ANALYZE TABLE tuskit_uploads')
  for (const [sql, values, key] of [
    ['SELECT record FROM tuskit_uploads WHERE id = ?', ['a1'], 'PRIMARY'],
    ['SELECT id FROM tuskit_uploads WHERE id > ? ORDER BY id LIMIT 10', ['a298'], 'PRIMARY'],
    [
      `SELECT id, expires_at FROM tuskit_uploads WHERE expires_at BETWEEN ? AND ?
       AND (expires_at > ? OR id > ?) ORDER BY expires_at, id LIMIT 10`,
      [0, Date.parse(expiresAt), 0, ''],
      'expires_at',
    ],
  ] as const) {
    const [plan] = await pool.execute(`EXPLAIN FORMAT = TRADITIONAL ${sql}`, [...values])
    expect(plan).toMatchObject([{ key }])
    expect((plan as { Extra: string }[])[0]!.Extra ?? '').not.toContain('filesort')
  }
})

test.each([
  [
    'an account that is locked',
    'ALTER USER uploads ACCOUNT LOCK',
    'ALTER USER uploads ACCOUNT UNLOCK',
  ],
  [
    'a password that is too old',
    'ALTER USER uploads PASSWORD EXPIRE',
    "ALTER USER uploads IDENTIFIED BY 'p@ss/word'",
  ],
  [
    'a server with too many statements',
    'SET GLOBAL max_prepared_stmt_count = 0',
    'SET GLOBAL max_prepared_stmt_count = DEFAULT',
  ],
])('%s is an outage', async (_, begin, end) => {
  const { pool } = await setUp()
  const store = new MysqlInfoStore({ pool })
  await service.asRoot((connection) => connection.query(begin))
  onTestFinished(async () => void (await service.asRoot((connection) => connection.query(end))))
  await expect(store.get('a', noAbort)).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
})

test('a connection that the server has ended because it was idle is at most an outage', async () => {
  const database = await service.createDatabase()
  const proxy = await TcpProxy.start({ port: service.port })
  onTestFinished(() => proxy.close())
  const pool = createPool({ uri: service.url(database, proxy.port), connectionLimit: 1 })
  onTestFinished(() => pool.end())
  const store = new MysqlInfoStore({ pool })
  await store.open()
  await pool.query('SET wait_timeout = 1')
  // The client receives the error when it has already sent the next statement.
  proxy.stall()
  const connections = () =>
    service.asRoot(async (connection) => {
      const [rows] = await connection.query<RowDataPacket[]>('SHOW PROCESSLIST')
      return rows.filter(({ db }) => db === database).length
    })
  await until(connections, (count) => count === 0)
  const getting = store.get('a', noAbort).catch(({ code }: { readonly code: string }) => code)
  await proxy.restore()
  // MariaDB resets the connection, which passes the proxy at once. MySQL sends an error.
  expect(await getting).toBeOneOf([undefined, 'ERR_STORAGE_UNAVAILABLE'])
  expect(await store.get('a', noAbort)).toBeUndefined()
})

const meaningOf = (errno: number, message = '') => {
  const error = Object.assign(new Error(message), { errno })
  return (mysqlError(error) as { code?: string }).code
}

test.each([1158, 1159, 1160, 1161])(
  'error %i, of the network of the server, is an outage',
  (errno) => {
    expect(meaningOf(errno)).toBe('ERR_STORAGE_UNAVAILABLE')
  },
)

test('a full disk is not an outage', () => {
  expect(meaningOf(1114)).toBe('ERR_STORAGE_FULL')
  expect(meaningOf(1021)).toBe('ERR_STORAGE_FULL')
  const text = 'Got error 28 "No space left on device" from storage engine InnoDB'
  expect(meaningOf(1030, text)).toBe('ERR_STORAGE_FULL')
  expect(meaningOf(1030, 'Got error 5 from storage engine')).toBe('ERR_STORAGE_UNAVAILABLE')
  expect(meaningOf(1064)).toBeUndefined()
})

test('one URL describes records and locks, and the password may be in the environment', async () => {
  const { database } = await setUp()
  const url = new URL(service.url(database))
  process.env.MYSQL_PWD = decodeURIComponent(url.password)
  onTestFinished(() => void delete process.env.MYSQL_PWD)
  url.password = ''
  const href = `${url.href}?table-prefix=mine_&lease=5000&poll-interval=100`
  const parts = [plugin.info.mariadb(href), plugin.locks.mysql(href)]
  const { infoStore, locker, lifecycles = [] } = new StoreComposer().use(...parts).slots()
  for (const object of lifecycles) await object.open()
  await infoStore!.create(recordOf('a'), noAbort)
  const lock = await locker!.acquire('a', { ...noAbort, requestRelease: () => true })
  await lock.release()
  for (const object of lifecycles) await object.close()
  const pool = service.pool(database)
  onTestFinished(() => pool.end())
  const [rows] = await pool.query('SELECT id FROM mine_uploads')
  expect(rows).toEqual([{ id: 'a' }])
})

test.each([
  ['mysql:uploads', 'the name of a host must follow mysql://'],
  ['mysql://localhost', 'the name of a database must follow the host'],
  ['mysql://localhost/uploads?lease=5s', "lease must be a whole number, not '5s'"],
  ['mysql://localhost/uploads?schema=create', "'schema' must be one of"],
  ['mysql://localhost/uploads?tablePrefix=a_', 'tablePrefix must be written table-prefix'],
  ['mysql://localhost/uploads?poll_interval=9', 'poll_interval must be written poll-interval'],
])('%s is refused', (url, message) => {
  expect(() => plugin.locks.mysql(url)).toThrow(message)
})

test.each([
  [{}, "'pool' must be a pool of mysql2/promise"],
  [{ pool: {} }, "'pool' must be a pool of mysql2/promise"],
  [{ pool: { getConnection() {} }, tablePrefix: 'a`b' }, "'tablePrefix' must be a string"],
])('wrong options are named: %#', (options, message) => {
  expect(() => new MysqlInfoStore(options as unknown as MysqlInfoStoreOptions)).toThrow(message)
})
