import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { PostgresInfoStore, PostgresLocker } from '@tuskit/postgres'
import {
  createUpload,
  download,
  head,
  openPatch,
  patch,
  post,
  serve,
  temporaryDirectory,
  until,
  untilStored,
  type Reply,
} from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { Postgres } from '../services.js'
import { openPool } from './open-pool.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

/** The events in the middle of an upload. Each returns how it ends. */
const outages: readonly {
  readonly name: string
  readonly begin: (database: string) => Promise<() => Promise<void>>
  /** Whether records can still be read. */
  readonly isReadable?: boolean
}[] = [
  {
    name: 'is killed',
    async begin() {
      await server.kill()
      return () => server.restart()
    },
  },
  {
    name: 'hangs',
    async begin() {
      await server.pause()
      return () => server.resume()
    },
  },
  {
    name: 'becomes read-only',
    begin: (database) => server.makeReadOnly(database),
    isReadable: true,
  },
]

test.each(outages)('clients try again when the server $name', async ({ begin, isReadable }) => {
  const database = await server.createDatabase()
  const pool = openPool(server.url(database), { connectionTimeoutMillis: 1_000 })
  const composer = new StoreComposer().use(
    new FileStore({ directory: await temporaryDirectory() }),
    new PostgresInfoStore({ pool }),
    new PostgresLocker({ pool, lease: 3_000 }),
  )
  const times = { storeTimeout: 1_500, lockTimeout: 1_500, settleTimeout: 1_500 }
  const site = await serve({ composer, logger: silent, ...times })
  const [waiting, receiving] = [
    await createUpload(site, { 'upload-length': 10 }),
    await createUpload(site, { 'upload-length': 10 }),
  ]
  expect(await patch(waiting, 0, 'abcde')).toMatchObject({ status: 204 })
  const open = openPatch(receiving, 0)
  open.request.write('abcde')
  await untilStored(site, receiving, 5)

  const end = await begin(database)
  try {
    const replies = [
      await post(site, { 'upload-length': 5 }, 'hello'),
      await patch(waiting, 5, 'fghij'),
    ]
    for (const { status, headers } of replies) {
      // While the server hangs, an upload may be locked as well.
      if (status === 423) continue
      expect(status).toBe(503)
      expect(headers['retry-after']).toMatch(/^\d+$/)
    }
    const found = await head(waiting)
    expect(found.status).toBe(isReadable ? 200 : 423)
    open.request.end('fghij')
    // It may have lost its lock, or have stored its bytes without knowing whether it is held.
    const reply = await open.reply.catch((): Partial<Reply> => ({ status: 503 }))
    expect([204, 503]).toContain(reply.status)
  } finally {
    await end()
  }

  for (const url of [waiting, receiving]) {
    const { headers } = await until(
      () => head(url),
      ({ status }) => status === 200,
    )
    const offset = Number(headers['upload-offset'])
    expect(offset).toBeGreaterThanOrEqual(5)
    if (offset < 10) {
      const rest = await until(
        () => patch(url, offset, 'abcdefghij'.slice(offset)),
        ({ status }) => status !== 423 && status !== 503,
      )
      expect(rest.status).toBe(204)
    }
    expect(await download(url)).toBe('abcdefghij')
  }
})
