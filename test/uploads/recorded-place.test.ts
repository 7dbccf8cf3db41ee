import { expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  head,
  patch,
  remove,
  send,
  serve,
  temporaryDirectory,
  tus,
  type Reply,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

/** Starts servers with the same records. Their data is in a directory or in memory. */
async function sites() {
  const directory = await temporaryDirectory()
  const log = keptLog()
  const siteOf = (store: FileStore | MemoryStore) => {
    const composer = new StoreComposer().use(store, new FileInfoStore({ directory }))
    return serve({ composer, logger: log })
  }
  return {
    file: await siteOf(new FileStore({ directory })),
    memory: await siteOf(new MemoryStore()),
    log,
  }
}

function expectInternal({ status, text }: Reply): void {
  expect([status, text.split(':')[0]]).toEqual([500, 'ERR_INTERNAL'])
}

test.each([
  ['file', 'memory'],
  ['memory', 'file'],
] as const)(
  'an upload whose data is in a %s store is not gone when another store is used',
  async (right, wrong) => {
    const { log, ...servers } = await sites()
    const url = await createUpload(servers[right], { 'upload-length': '11' })
    await patch(url, 0, 'hello ')
    const elsewhere = servers[wrong].origin + new URL(url).pathname
    const failed = await head(elsewhere)
    expect([failed.status, failed.headers['retry-after']]).toEqual([423, '1'])
    const get = await send({ method: 'GET', url: elsewhere, headers: tus })
    expect(get.status).toBe(423)
    expectInternal(await patch(elsewhere, 6, 'world'))
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'error', 'error'])
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expectInternal(await send({ method: 'GET', url: elsewhere }))
    expectInternal(await remove(elsewhere))
  },
)
