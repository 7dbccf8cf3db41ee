import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test, vi } from 'vitest'
import { createHandler, TusError, type HandlerOptions } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { boundedStores } from '../../src/uploads/stores/bounded-stores.js'
import { Lifecycles } from '../../src/uploads/stores/lifecycles.js'
import { OpenContents } from '../../src/uploads/stores/open-contents.js'
import {
  createUpload,
  head,
  idOf,
  memoryComposer,
  offsetOf,
  patch,
  post,
  remove,
  send,
  serve,
  type Reply,
  type Site,
} from '../support/serve.js'
import { keptLog, newGate } from '../support/stages.js'
import { openableStores } from './openable.js'

const draft = { 'upload-draft-interop-version': '6' }
const unavailable = () => new TusError('ERR_STORAGE_UNAVAILABLE', { cause: new Error('refused') })

/** A server with stores that have not been opened, and uploads from an earlier server. */
async function serveEarlier(options: Partial<HandlerOptions> = {}) {
  const inner = memoryComposer().useLocker(new MemoryLocker())
  const earlier = await serve({ composer: inner })
  const stores = openableStores(inner)
  const site = await serve({ composer: stores.composer, ...options })
  const urlOf = (url: string) => url.replace(earlier.origin, site.origin)
  const { headers } = await post(earlier, { 'upload-length': '5' }, 'hello')
  const finished = site.origin + headers.location
  const open = urlOf(await createUpload(earlier, { 'upload-length': '10' }))
  return { ...stores, stores, site, open, finished }
}

async function all(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const item of items) found.push(item)
  return found
}

function errorOf(reply: Reply): unknown[] {
  return [reply.status, reply.text.split(':')[0]]
}

type Use = (site: Site, open: string, finished: string) => Promise<unknown>

const uses: readonly (readonly [name: string, use: Use])[] = [
  ['POST', (site) => createUpload(site)],
  ['POST with data', (site) => post(site, { 'upload-length': '5' }, 'hello')],
  ['PATCH', (_, open) => patch(open, 0, 'hello')],
  ['HEAD', (_, open) => head(open)],
  ['HEAD of the draft', (_, open) => head(open, draft)],
  ['GET', (_, __, finished) => send({ method: 'GET', url: finished })],
  ['DELETE', (_, open) => remove(open)],
  ['uploads.inspect', ({ handler }, open) => handler.uploads.inspect(idOf(open))],
  [
    'uploads.read',
    async ({ handler }, _, finished) =>
      text((await handler.uploads.read(idOf(finished))) as Readable),
  ],
  ['uploads.terminate', ({ handler }, open) => handler.uploads.terminate(idOf(open))],
  ['uploads.detach', ({ handler }, _, finished) => handler.uploads.detach(idOf(finished))],
  ['uploads.list', ({ handler }) => all(handler.uploads.list())],
  ['uploads.removeExpired', ({ handler }) => handler.uploads.removeExpired()],
  ['uploads.finishPending', ({ handler }) => handler.uploads.finishPending()],
]

test.each(uses)('%s opens the stores before it uses them', async (_, use) => {
  const { site, open, finished, calls, early } = await serveEarlier()
  await use(site, open, finished)
  expect(calls[0]).toBe('open')
  expect(calls.length).toBeGreaterThan(1)
  expect(early).toEqual([])
})

test('the sweep opens the stores before it uses them', async () => {
  const { calls, early } = await serveEarlier({ expiration: { after: 60_000, sweepEvery: 5 } })
  await vi.waitUntil(() => calls.includes('expiryIndex.expired'))
  expect([calls[0], early]).toEqual(['open', []])
})

test('a request that needs no store opens none', async () => {
  const { site, calls } = await serveEarlier()
  expect((await send({ method: 'OPTIONS', url: `${site.origin}/files` })).status).toBe(200)
  expect((await post(site, { 'upload-length': 'x' })).status).toBe(400)
  expect(calls).toEqual([])
})

test('requests at the same time and later ones share one open', async () => {
  const { site, stores, open, calls, early } = await serveEarlier()
  const opening = newGate()
  stores.onOpen = opening.pass
  const replies = Promise.all([head(open), head(open), createUpload(site), site.handler.open()])
  await opening.reached
  opening.open()
  await replies
  await site.handler.open()
  expect(await offsetOf(open)).toBe('0')
  expect(calls.filter((call) => call === 'open')).toHaveLength(1)
  expect(early).toEqual([])
})

describe('an open that fails', () => {
  test('refuses the request as a store does, and is tried again at the next', async () => {
    const { site, stores, open, finished, calls, early } = await serveEarlier({ logger: keptLog() })
    stores.onOpen = () => {
      throw unavailable()
    }
    const replies = [
      await head(open),
      await head(open, draft),
      await patch(open, 0, 'hello'),
      await post(site, { 'upload-length': '5' }),
      await send({ method: 'GET', url: finished }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([423, 503, 503, 503, 503])
    for (const { headers } of replies) expect(headers['retry-after']).toMatch(/^\d+$/)
    await expect(site.handler.uploads.inspect(idOf(open))).rejects.toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
    })
    expect(calls).toEqual(Array<string>(6).fill('open'))
    stores.onOpen = () => {}
    expect(await offsetOf(open)).toBe('0')
    expect(early).toEqual([])
  })

  test.each([
    ['with an error of the system', new Error('bad password')],
    ['as if data were missing', new TusError('ERR_DATA_MISSING')],
  ])('%s says nothing about the upload', async (_, error) => {
    const log = keptLog()
    const { stores, open } = await serveEarlier({ logger: log })
    stores.onOpen = () => {
      throw error
    }
    expect((await head(open)).status).toBe(423)
    expect(errorOf(await patch(open, 0, 'hello'))).toEqual([500, 'ERR_INTERNAL'])
    expect(log.lines.map(({ fields }) => fields.error)).toEqual([error, error])
  })

  test('opens again only what is not open', async () => {
    const calls: string[] = []
    const failing = { open: vi.fn(async () => {}), close: async () => {} }
    failing.open.mockRejectedValueOnce(unavailable())
    const composer = memoryComposer()
      .useLifecycle({ open: async () => void calls.push('open'), close: async () => {} })
      .useLifecycle(failing)
    const { handler } = await serve({ composer })
    await expect(handler.open()).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    await handler.open()
    expect(calls).toEqual(['open'])
    expect(failing.open).toHaveBeenCalledTimes(2)
  })
})

test('a request waits for an open that hangs no longer than storeTimeout', async () => {
  const log = keptLog()
  const options = { storeTimeout: 50, lockTimeout: 10, logger: log }
  const { site, stores, open, calls, early } = await serveEarlier(options)
  const opening = newGate()
  stores.onOpen = opening.pass
  const reply = await post(site, { 'upload-length': '5' }, 'hello')
  expect(errorOf(reply)).toEqual([503, 'ERR_STORAGE_UNAVAILABLE'])
  expect(reply.headers['retry-after']).toMatch(/^\d+$/)
  expect((await head(open)).status).toBe(423)
  await expect(all(site.handler.uploads.list())).rejects.toThrow()
  await expect(site.handler.open()).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  expect(log.lines[0]).toMatchObject({
    message: 'A store does not respond',
    fields: { call: 'lifecycle.open', storeTimeout: 50 },
  })
  opening.open()
  expect(await offsetOf(open)).toBe('0')
  expect(calls.filter((call) => call === 'open')).toHaveLength(1)
  expect(early).toEqual([])
})

describe('handler.open', () => {
  test('opens the stores without using them', async () => {
    const { site, calls } = await serveEarlier()
    await site.handler.open()
    expect(calls).toEqual(['open'])
  })

  test('rejects with the error of the store, and can be called again', async () => {
    const { site, stores, calls } = await serveEarlier()
    const error = new Error('bad password')
    stores.onOpen = () => {
      throw error
    }
    await expect(site.handler.open()).rejects.toBe(error)
    stores.onOpen = () => {}
    await site.handler.open()
    expect(calls).toEqual(['open', 'open'])
  })

  test('does nothing for stores that need not be opened', async () => {
    const { handler } = await serve()
    await expect(handler.open()).resolves.toBeUndefined()
  })

  test('catches an exception, too', async () => {
    const open = vi.fn<() => Promise<void>>(async () => {})
    open.mockImplementationOnce(() => {
      throw new Error('not a promise')
    })
    const composer = memoryComposer().useLifecycle({ open, close: async () => {} })
    const handler = createHandler({ basePath: '/files', composer })
    await expect(handler.open()).rejects.toThrow('not a promise')
    await handler.open()
    expect(open).toHaveBeenCalledTimes(2)
    await handler.close()
  })
})

test('stores that are open, or need not be, are called without a detour', async () => {
  const { composer, lifecycle, calls } = openableStores()
  const bounds = { storeTimeout: 1_000, log: keptLog(), onHang: () => {} }
  const slots = composer.slots()
  const filled = {
    ...slots,
    dataStore: slots.dataStore!,
    infoStore: slots.infoStore!,
    locker: slots.locker!,
  }
  const opened = new Lifecycles([lifecycle])
  await opened.open()
  for (const lifecycles of [new Lifecycles([]), opened]) {
    const stores = boundedStores(filled, { ...bounds, lifecycles }, new OpenContents())
    calls.length = 0
    const found = stores.infoStore.get('none')
    const settled = stores.locker.settle('none', { signal: new AbortController().signal })
    expect(calls).toEqual(['infoStore.get', 'locker.settle'])
    await Promise.all([found, settled])
  }
})
