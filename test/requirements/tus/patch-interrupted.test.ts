import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import {
  type AccessContext,
  createUploadServer,
  type DataStore,
  type HandlerOptions,
  StoreComposer,
  TusError,
} from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createUpload,
  download,
  listen,
  offsetOf,
  openPatch,
  patch,
  send,
  sendRaw,
  serve,
  type Site,
  stores,
  until,
  untilOffset,
} from '../../support/serve.js'
import { patchHead } from './raw-patch.js'
import { silent } from '../../support/silent.js'

/** Resolves when the request has ended or its client is gone. */
function closing(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.closed) resolve()
    else request.once('close', resolve)
  })
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), takeoverAfter: 60_000, logger: silent, ...options })
  }

  test('T-058 keeps the bytes that arrived before the connection was lost, and finishes nothing', async () => {
    const events: string[] = []
    const finish = ({ event }: { event: { type: string } }) => void events.push(event.type)
    const url = await createUpload(await site({ hooks: { preFinish: finish, postFinish: finish } }))
    for (const headers of [{ 'content-length': '11' }, { 'transfer-encoding': 'chunked' }]) {
      const from = (await offsetOf(url)) as string
      const { request, reply } = openPatch(url, Number(from), {
        ...headers,
        ...('content-length' in headers && { 'content-length': String(11 - Number(from)) }),
      })
      request.write('hello'.slice(0, 3))
      await untilOffset(url, Number(from) + 3)
      request.destroy()
      await expect(reply).rejects.toThrow()
    }
    expect(await offsetOf(url)).toBe('6')
    expect((await send({ method: 'GET', url })).status).toBe(409)
    expect(events).toEqual([])
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expect(await download(url)).toBe('helhelworld')
    await until(
      async () => events.length,
      (length) => length === 2,
    )
    expect(events).toEqual(['pre-finish', 'post-finish'])
  })

  test('T-058 keeps the bytes that arrived if the client is gone before the access hook decides', async () => {
    let gone: Promise<void> | undefined
    const access = ({ action, request }: AccessContext) => {
      if (action === 'append') return (gone ??= closing(request!))
    }
    const at = await site({ hooks: { access } })
    const url = await createUpload(at)
    const socket = connect(at.port, '127.0.0.1').resume()
    socket.end(`${patchHead(url, { 'upload-offset': '0', 'content-length': '11' })}hello`)
    await untilOffset(url, 5)
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-058 keeps the bytes that arrived if the client is gone before the handler is called', async () => {
    const { handler } = await site()
    const server = createUploadServer(
      async (request: IncomingMessage, response: ServerResponse) => {
        if (request.method === 'PATCH') await closing(request)
        await handler(request, response)
      },
    )
    const port = await listen(server)
    onTestFinished(() => server.stop())
    const url = await createUpload({ origin: `http://127.0.0.1:${port}` })
    const socket = connect(port, '127.0.0.1').resume()
    socket.end(`${patchHead(url, { 'upload-offset': '0', 'content-length': '11' })}hello`)
    await untilOffset(url, 5)
  })

  test('T-058 keeps the bytes that came right before a FIN', async () => {
    const at = await site()
    const url = await createUpload(at, { 'upload-length': '1000000' })
    const socket = connect(at.port, '127.0.0.1')
    const top = patchHead(url, { 'upload-offset': '0', 'content-length': '1000000' })
    socket.on('error', () => {})
    socket.end(Buffer.concat([Buffer.from(top), Buffer.alloc(10_000, 'a')]))
    await untilOffset(url, 10_000)
    expect((await patch(url, 10_000, Buffer.alloc(990_000, 'b'))).status).toBe(204)
  })
})

/** A fake for storage that fails: stores four bytes of a chunk, then throws. */
class FailingStore implements DataStore {
  readonly #store = new MemoryStore()
  readonly maxSize = Infinity
  broken = true
  locate: DataStore['locate'] = (upload) => this.#store.locate(upload)
  create: DataStore['create'] = (upload, options) => this.#store.create(upload, options)
  stat: DataStore['stat'] = (upload, options) => this.#store.stat(upload, options)
  append: DataStore['append'] = async (upload, from, body, options) => {
    if (!this.broken) return this.#store.append(upload, from, body, options)
    const readable = body.readable()
    const four = async function* () {
      for await (const piece of readable) yield [(piece as Buffer).subarray(0, 4)]
    }
    const start = { size: 4, readable: () => readable, [Symbol.asyncIterator]: four }
    await this.#store.append(upload, from, start, options)
    throw new TusError('ERR_STORAGE_FULL')
  }
}

test('T-057 a chunk that is stored in part gets the offset of the stored bytes', async () => {
  const store = new FailingStore()
  const composer = new StoreComposer().useDataStore(store)
  new MemoryInfoStore().useIn(composer)
  const url = await createUpload(await serve({ composer, logger: silent }))
  const failed = await patch(url, 0, 'hello world')
  expect([failed.status, failed.headers['upload-offset']]).toEqual([507, '4'])
  expect(await offsetOf(url)).toBe('4')
  store.broken = false
  const resumed = await patch(url, 4, 'o world')
  expect([resumed.status, resumed.headers['upload-offset']]).toEqual([204, '11'])
})

const framings: [string, Readonly<Record<string, string>>, string][] = [
  ['a short Content-Length', { 'content-length': '11' }, 'hello'],
  ['a long Content-Length', { 'content-length': '100000' }, 'hello'],
  ['chunks', { 'transfer-encoding': 'chunked' }, '5\r\nhello\r\n'],
]

test.each(framings)(
  'T-059 a stalled body with %s gets 503; the connection is closed, the bytes are kept',
  async (_, headers, body) => {
    const site = await serve({ idleTimeout: 20, takeoverAfter: 60_000, logger: silent })
    const url = await createUpload(site, { 'upload-length': '100000' })
    // Resolves when the server closes.
    const text = await sendRaw(
      site.port,
      patchHead(url, { 'upload-offset': '0', ...headers }) + body,
    )
    expect(text).toMatch(/^HTTP\/1\.1 503 /)
    expect(text).toMatch(/\r\nupload-offset: 5\r\n/i)
    expect(text).toMatch(/\r\n\r\n.*ERR_BODY_STALLED: /s)
    expect(text).toMatch(/\r\nconnection: close\r\n/i)
    expect(await offsetOf(url)).toBe('5')
  },
)
