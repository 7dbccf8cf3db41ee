import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { MysqlInfoStore, MysqlLocker } from '@tuskit/mysql'
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
  untilOffset,
  untilStored,
} from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { MysqlServer } from '../services.js'

let service: MysqlServer

beforeAll(async () => {
  service = await MysqlServer.start()
})
afterAll(() => service.stop())

/** Starts servers that share files, records and locks. */
async function servers(count: number) {
  const [database, directory] = [await service.createDatabase(), await temporaryDirectory()]
  return Promise.all(
    Array.from({ length: count }, async () => {
      const pool = service.pool(database)
      onTestFinished(() => pool.end())
      const composer = new StoreComposer().use(
        new FileStore({ directory }),
        new MysqlInfoStore({ pool }),
        new MysqlLocker({ pool, lease: 2_000, pollInterval: 100 }),
      )
      return serve({ composer, storeTimeout: 1_000, lockTimeout: 2_000, logger: silent })
    }),
  )
}

// A server that hangs is noticed when the wait for a lock ends.
test.each([
  ['killed', 503],
  ['paused', 423],
] as const)(
  'while the database is %s, requests fail, and clients continue afterwards',
  async (fault, refused) => {
    const [site] = await servers(1)
    const url = await createUpload(site!)
    const { request } = openPatch(url, 0)
    request.write('hello ')
    await untilStored(site!, url, 6)
    await (fault === 'killed' ? service.kill() : service.pause())
    onTestFinished(() => service.resume())
    const { status: posted, headers } = await post(site!, { 'upload-length': '5' })
    expect([posted, headers['retry-after']]).toEqual([refused, '1'])
    expect((await head(url)).status).toBe(423)
    request.destroy()
    if (fault === 'killed') await service.restart()
    else service.resume()
    await untilOffset(url, 6)
    const { status } = await until(
      () => patch(url, 6, 'world'),
      (reply) => reply.status !== 503 && reply.status !== 423,
    )
    expect(status).toBe(204)
    expect(await download(url)).toBe('hello world')
  },
)

test('a server continues an upload whose old connection hangs at another one', async () => {
  const [first, second] = await servers(2)
  const url = await createUpload(first!)
  const { request, reply } = openPatch(url, 0)
  request.write('hello ')
  await untilStored(first!, url, 6)
  const elsewhere = url.replace(first!.origin, second!.origin)
  expect((await patch(elsewhere, 6, 'world')).status).toBe(204)
  expect(await download(elsewhere)).toBe('hello world')
  await expect(reply).rejects.toThrow()
})
