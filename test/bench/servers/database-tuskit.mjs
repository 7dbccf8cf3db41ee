// tuskit with its data on disk, and records and locks elsewhere. Arguments, as JSON: `directory`;
// `kind`; `url`, of the database; `sqlite`, the folder of better-sqlite3. Preload the build that is
// measured.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'

const { directory, kind, url, sqlite } = JSON.parse(process.argv[2])

const parts = {
  async files() {
    return [new FileInfoStore({ directory }), new FileLocker({ directory })]
  },
  async SQLite() {
    const Database = createRequire(join(sqlite, 'index.js'))('better-sqlite3')
    const { SqliteInfoStore } = await import('@tuskit/sqlite')
    const database = new Database(join(directory, '.uploads.db'))
    return [new SqliteInfoStore({ database }), new FileLocker({ directory })]
  },
  async Redis() {
    const { createClient } = await import('redis')
    const { RedisInfoStore, RedisLocker } = await import('@tuskit/redis')
    const client = await createClient({ url }).connect()
    return [new RedisInfoStore({ client }), new RedisLocker({ client })]
  },
  async PostgreSQL() {
    const { Pool } = await import('pg')
    const { PostgresInfoStore, PostgresLocker } = await import('@tuskit/postgres')
    const pool = new Pool({ connectionString: url })
    return [new PostgresInfoStore({ pool }), new PostgresLocker({ pool })]
  },
  async MariaDB() {
    const { createPool } = await import('mysql2/promise')
    const { MysqlInfoStore, MysqlLocker } = await import('@tuskit/mysql')
    const pool = createPool(url)
    return [new MysqlInfoStore({ pool }), new MysqlLocker({ pool })]
  },
}

const composer = new StoreComposer().use(new FileStore({ directory }), ...(await parts[kind]()))
const handler = createHandler({ basePath: '/files', composer })
await handler.open()
const server = createUploadServer(handler)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
