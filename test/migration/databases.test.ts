import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  migrateInfo,
  type ComposerPart,
  type InfoLister,
  type InfoStore,
  type Lifecycle,
  type Upload,
} from 'tuskit'
import { FileInfoStore } from 'tuskit/file-store'
import { MysqlInfoStore } from '@tuskit/mysql'
import { PostgresInfoStore } from '@tuskit/postgres'
import { RedisInfoStore } from '@tuskit/redis'
import { SqliteInfoStore } from '@tuskit/sqlite'
import { MysqlServer } from '../../packages/mysql/services.js'
import { Postgres } from '../../packages/postgres/services.js'
import { RedisServer } from '../../packages/redis/services.js'
import { connector } from '../../packages/sqlite/test/better-sqlite3.js'
import { temporaryDirectory } from '../support/serve.js'
import { noAbort } from '../support/stages.js'

let redis: RedisServer
let postgres: Postgres
let mysql: MysqlServer

beforeAll(async () => {
  ;[redis, postgres, mysql] = await Promise.all([
    RedisServer.start(),
    Postgres.start(),
    MysqlServer.start(),
  ])
})
afterAll(() => Promise.all([redis.stop(), postgres.stop(), mysql.stop()]))

/** Empty storages of each kind. A migration closes its info stores, so each gets its own. */
const kinds = {
  async file() {
    const directory = await temporaryDirectory()
    return () => new FileInfoStore({ directory })
  },
  async redis() {
    const client = createClient({ url: redis.url })
    await client.connect()
    onTestFinished(() => client.destroy())
    const prefix = `${randomUUID()}:`
    return () => new RedisInfoStore({ client, prefix })
  },
  async postgres() {
    const pool = new pg.Pool({ connectionString: postgres.url(await postgres.createDatabase()) })
    onTestFinished(() => pool.end())
    return () => new PostgresInfoStore({ pool })
  },
  async mysql() {
    const pool = mysql.pool(await mysql.createDatabase())
    onTestFinished(() => pool.end())
    return () => new MysqlInfoStore({ pool })
  },
  async sqlite() {
    const database = (await connector())(join(await temporaryDirectory(), 'records.db'))
    onTestFinished(() => void database.close())
    return () => new SqliteInfoStore({ database })
  },
} satisfies Record<string, () => Promise<() => Store>>

type Kind = keyof typeof kinds

/** Records with everything that a database could change: texts, numbers, times, and the order. */
const records: readonly Upload[] = Array.from({ length: 60 }, (_, n): Upload => {
  const filename = ['grüße.txt', '𝒳 "\\', `nul\0`, '', ' a ', 'Ａ'][n % 6]!
  return {
    id: `${'aAzZ0._~+-'[n % 10]!.replace('.', 'x.')}${n}`,
    revision: n % 7 === 0 ? 2 ** 40 : 1 + n,
    protocol: n % 2 === 0 ? 'tus' : 'ietf',
    ...(n % 3 > 0 && { length: n % 5 === 0 ? Number.MAX_SAFE_INTEGER : n }),
    metadata: { raw: `filename ${Buffer.from(filename).toString('base64')}`, values: { filename } },
    storage: { kind: 'file', at: { path: `${n}` }, secret: { z: [1.5, null, true], a: { b: n } } },
    createdAt: new Date(1_700_000_000_000 + n).toISOString(),
    ...(n % 4 === 0 && { expiresAt: new Date(1_800_000_000_000 + n).toISOString() }),
    finish: 'implied',
    state: { kind: 'open' },
  }
})

type Store = InfoStore & InfoLister & ComposerPart & Partial<Lifecycle>

async function contentsOf(store: Store): Promise<Map<string, unknown>> {
  await store.open?.()
  const found = new Map<string, unknown>()
  for await (const id of store.ids(noAbort)) {
    found.set(id, JSON.parse(JSON.stringify(await store.get(id, noAbort))))
  }
  return found
}

async function outcomes(from: ComposerPart, to: ComposerPart): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for await (const { outcome, error } of migrateInfo({ from, to, removeGone: true })) {
    if (error !== undefined) throw error
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}

const ways: readonly (readonly [Kind, Kind])[] = [
  ['file', 'redis'],
  ['redis', 'postgres'],
  ['postgres', 'mysql'],
  ['mysql', 'sqlite'],
  ['sqlite', 'file'],
]

test.each(ways)('all records move from %s to %s, and what changes later', async (...names) => {
  const [from, to] = [await kinds[names[0]](), await kinds[names[1]]()]
  // An empty run opens the stores, which creates their tables.
  expect(await outcomes(from(), to())).toEqual({})
  const source: Store = from()
  await source.open?.()
  for (const record of records) await source.create(record, noAbort)
  expect(await outcomes(from(), to())).toEqual({ copied: 60 })
  const stored = await contentsOf(source)
  expect(stored.size).toBe(60)
  expect(await contentsOf(to())).toEqual(stored)

  const [first, second] = records as [Upload, Upload]
  const changed: Upload = { ...first, revision: first.revision + 1, maxSize: 7 }
  await source.update(changed, noAbort)
  await source.delete(second.id, noAbort)
  expect(await outcomes(from(), to())).toEqual({ updated: 1, present: 58, removed: 1 })
  expect(await contentsOf(to())).toEqual(await contentsOf(source))
})
