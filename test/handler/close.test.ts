import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler, createUploadServer, type HandlerOptions } from 'tuskit'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  head,
  idOf,
  listen,
  memoryComposer,
  offsetOf,
  openPatch,
  post,
  send,
  serve,
  untilStored,
} from '../support/serve.js'
import { keptLog, newGate } from '../support/stages.js'
import { openableStores, type OpenableStores } from './openable.js'

const draft = { 'upload-draft-interop-version': '6' }
const refused = { code: 'ERR_SERVER_SHUTDOWN' }

/** A handler whose stores are open. */
async function opened(stores: OpenableStores, options: Partial<HandlerOptions> = {}) {
  const handler = createHandler({ basePath: '/files', composer: stores.composer, ...options })
  await handler.open()
  return handler
}

/** A server of Node, and a handler whose stores must be open. */
async function serveByNode(options: Partial<HandlerOptions> = {}) {
  const stores = openableStores()
  const handler = await opened(stores, options)
  const server = http.createServer(handler)
  server.requestTimeout = 0
  const origin = `http://127.0.0.1:${await listen(server)}`
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { ...stores, stores, handler, server, origin }
}

test('shutdown closes nothing that HEAD and uploads need', async () => {
  const { calls, early, handler, ...site } = await serveByNode()
  const url = await createUpload(site)
  await handler.shutdown()
  expect(await offsetOf(url)).toBe('0')
  expect(await handler.uploads.inspect(idOf(url))).toMatchObject({ offset: 0 })
  expect([calls.includes('close'), early]).toEqual([false, []])
  await handler.close()
})

test('close stores what arrived, closes the stores once, and refuses everything', async () => {
  const { calls, early, handler, ...site } = await serveByNode({ idleTimeout: 60_000 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await untilStored({ handler }, url, 5)
  const closing = [handler.close(), handler.close()]
  const { status, headers } = await reply
  expect([status, headers['upload-offset']]).toEqual([503, '5'])
  await Promise.all([...closing, handler.close()])
  expect(calls.filter((call) => call === 'close')).toHaveLength(1)
  expect(calls.at(-1)).toBe('close')

  const replies = [
    await head(url),
    await head(url, draft),
    await send({ method: 'HEAD', url }),
    await post(site, { 'upload-length': '5' }),
    await send({ method: 'GET', url }),
  ]
  expect(replies.map((late) => late.status)).toEqual([423, 503, 423, 503, 503])
  for (const late of replies) expect(late.headers['retry-after']).toMatch(/^\d+$/)
  expect(replies[3]?.text).toMatch(/^ERR_SERVER_SHUTDOWN/)
  const { uploads } = handler
  const id = idOf(url)
  await expect(uploads.inspect(id)).rejects.toMatchObject(refused)
  await expect(uploads.read(id)).rejects.toMatchObject(refused)
  await expect(uploads.terminate(id)).rejects.toMatchObject(refused)
  await expect(uploads.detach(id)).rejects.toMatchObject(refused)
  await expect(uploads.removeExpired()).rejects.toMatchObject(refused)
  await expect(uploads.finishPending()).rejects.toMatchObject(refused)
  expect(() => uploads.list()).toThrow(expect.objectContaining(refused))
  await expect(handler.open()).rejects.toMatchObject(refused)
  await handler.shutdown()
  expect([calls.at(-1), early]).toEqual(['close', []])
})

test('a handler without such stores refuses everything, too, once it is closed', async () => {
  const site = await serve()
  const url = await createUpload(site)
  await site.handler.close()
  expect((await head(url)).status).toBe(423)
  await expect(site.handler.uploads.inspect(idOf(url))).rejects.toMatchObject(refused)
})

test('server.stop closes the stores after the last download', async () => {
  const stores = openableStores()
  const rest = newGate()
  const order: string[] = []
  const inner = stores.composer.slots().contentReader!
  stores.composer.useContentReader({
    async read(upload, range, options) {
      const content = await text((await inner.read(upload, range, options)) as Readable)
      async function* slowly() {
        yield content.slice(0, 2)
        await rest.pass()
        order.push('rest')
        yield content.slice(2)
      }
      return Readable.from(slowly(), { objectMode: false })
    },
  })
  stores.onClose = () => order.push('close')
  const site = await serve({ composer: stores.composer })
  const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
  const download = send({ method: 'GET', url: site.origin + headers.location })
  await rest.reached
  const stopped = site.server.stop()
  await site.handler.shutdown()
  await turn()
  rest.open()
  expect((await download).text).toBe('hello')
  await stopped
  expect(order).toEqual(['rest', 'close'])
})

test.each(['close', 'shutdown'])(
  'server.stop leaves an application that has a function %s of its own alone',
  async (name) => {
    const own = vi.fn()
    const app: http.RequestListener = (_, response) => void response.end()
    const server = createUploadServer(Object.assign(app, { [name]: own }))
    await listen(server)
    await server.stop()
    expect(own).not.toHaveBeenCalled()
  },
)

describe('contents that are being read', () => {
  async function readBy(stores: OpenableStores) {
    const handler = await opened(stores)
    const server = http.createServer(handler)
    const origin = `http://127.0.0.1:${await listen(server)}`
    const { headers } = await post({ origin }, { 'upload-length': '5' }, 'hello')
    server.close()
    const content = await handler.uploads.read(idOf(headers.location!))
    return { handler, content: content as Readable }
  }

  test('are waited for', async () => {
    const stores = openableStores()
    const { handler, content } = await readBy(stores)
    const closed = handler.close()
    await expect(handler.uploads.inspect('none')).rejects.toMatchObject({ status: 404 })
    expect(stores.calls).not.toContain('close')
    expect(await text(content)).toBe('hello')
    await closed
    expect(stores.calls.at(-1)).toBe('close')
  })

  test('are destroyed after the timeout', async () => {
    const stores = openableStores()
    const { handler, content } = await readBy(stores)
    const failed = once(content, 'error')
    await handler.close({ timeout: 10 })
    expect(await failed).toEqual([expect.objectContaining(refused)])
    expect(stores.calls.at(-1)).toBe('close')
  })

  test('do not delay a handler whose stores need not be closed', async () => {
    const site = await serve()
    const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
    const content = await site.handler.uploads.read(idOf(headers.location!))
    await site.handler.close({ timeout: 60_000 })
    expect(await text(content as Readable)).toBe('hello')
  })
})

describe('handlers that share a store', () => {
  test('close it with the last one, even if only one of them has used it', async () => {
    const stores = openableStores()
    const first = await opened(stores)
    const second = createHandler({ basePath: '/files', composer: stores.composer })
    await first.close()
    expect(stores.calls).toEqual(['open'])
    await expect(second.uploads.inspect('none')).rejects.toMatchObject({ status: 404 })
    await second.close()
    expect(stores.calls).toEqual(['open', 'infoStore.get', 'close'])
    expect(stores.early).toEqual([])
  })

  test('share single objects of different composers', async () => {
    const calls: string[] = []
    const object = (name: string) => ({
      open: async () => void calls.push(`open ${name}`),
      close: async () => void calls.push(`close ${name}`),
    })
    const [locker, first, second] = [object('locker'), object('first'), object('second')]
    const handlers = [first, second].map((store) =>
      createHandler({
        basePath: '/files',
        composer: memoryComposer().useLifecycle(store).useLifecycle(locker).useLifecycle(store),
      }),
    )
    await Promise.all(handlers.map((handler) => handler.open()))
    expect([...calls].sort()).toEqual(['open first', 'open locker', 'open second'])
    await handlers[0]!.close()
    await handlers[0]!.close()
    expect(calls.slice(3)).toEqual(['close first'])
    await handlers[1]!.close()
    expect(calls.slice(4).sort()).toEqual(['close locker', 'close second'])
  })

  test('cannot be created after it was closed', async () => {
    class LeaseLocker extends MemoryLocker {
      password = 'secret'
      open = async () => {}
      close = async () => {}
    }
    const composer = memoryComposer().useLifecycle(new LeaseLocker())
    const create = () => createHandler({ basePath: '/files', composer })
    const handler = create()
    await handler.open()
    await handler.close()
    expect(create).toThrow(
      new TypeError(
        'createHandler: the composer has an object (LeaseLocker) that has been closed; create a new one',
      ),
    )
  })

  test('are not counted when their options are wrong', async () => {
    const stores = openableStores()
    const handler = await opened(stores)
    const { composer } = stores
    expect(() => createHandler({ basePath: '/files', composer, maxSize: -1 })).toThrow(TypeError)
    await handler.close()
    expect(stores.calls.at(-1)).toBe('close')
  })
})

test('what was never opened is not closed, and can be used by another handler', async () => {
  const stores = openableStores()
  await createHandler({ basePath: '/files', composer: stores.composer }).close()
  expect(stores.calls).toEqual([])
  const handler = await opened(stores)
  await handler.close()
  expect(stores.calls).toEqual(['open', 'close'])
})

test('close waits for an open in progress', async () => {
  const stores = openableStores()
  const opening = newGate()
  stores.onOpen = opening.pass
  const handler = createHandler({ basePath: '/files', composer: stores.composer })
  const done = handler.open()
  await opening.reached
  const closed = handler.close()
  await turn()
  opening.open()
  await Promise.all([done, closed])
  expect(stores.calls).toEqual(['open', 'close'])
})

test('an open that fails while the handler closes is not closed', async () => {
  const stores = openableStores()
  const opening = newGate()
  stores.onOpen = () => opening.pass().then(() => Promise.reject(new Error('refused')))
  const handler = createHandler({ basePath: '/files', composer: stores.composer })
  const failed = expect(handler.open()).rejects.toThrow('refused')
  await opening.reached
  const closed = handler.close()
  await turn()
  opening.open()
  await Promise.all([failed, closed])
  expect(stores.calls).toEqual(['open'])
})

test.each([
  ['rejects', async () => Promise.reject(new Error('no goodbye')), 'no goodbye'],
  ['hangs', () => new Promise(() => {}), 'A close has not settled within 50 ms'],
])('a store whose close %s is logged, and the server stops', async (_, onClose, message) => {
  const log = keptLog()
  const stores = openableStores()
  stores.onClose = onClose
  const { server, handler } = await serve({
    composer: stores.composer,
    logger: log,
    storeTimeout: 50,
  })
  await handler.open()
  await server.stop()
  expect(log.lines).toMatchObject([
    {
      level: 'error',
      message: 'A store or a backend of hooks could not be closed',
      fields: { error: { message } },
    },
  ])
})

test('a store is closed even if work outlasts the timeout', async () => {
  const stores = openableStores()
  const slow = newGate()
  const { handler, ...site } = await serve({
    composer: stores.composer,
    hooks: { preCreate: () => slow.pass() },
  })
  const reply = post(site, { 'upload-length': '5' }, 'hello')
  await handler.open()
  await slow.reached
  await handler.close({ timeout: 10 })
  expect(stores.calls.at(-1)).toBe('close')
  slow.open()
  expect((await reply).text).toMatch(/^ERR_SERVER_SHUTDOWN/)
  expect(stores.early).toEqual([])
})

test('the locks of a closed handler are released for the others', async () => {
  const locker = new MemoryLocker()
  const stores = openableStores(
    memoryComposer().use(new MemoryStore(), new MemoryInfoStore(), locker),
  )
  const slow = newGate()
  const first = await serve({ composer: stores.composer, hooks: { postReceive: () => {} } })
  const second = await serve({
    composer: stores.composer,
    hooks: { preFinish: () => slow.pass() },
  })
  const url = await createUpload(second, { 'upload-length': '5' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
  request.end('hello')
  await slow.reached
  await second.handler.close({ timeout: 10 })
  slow.open()
  expect((await reply).status).toBe(204)
  expect(await first.handler.uploads.inspect(idOf(url))).toMatchObject({ finished: true })
  await first.handler.uploads.terminate(idOf(url))
})
