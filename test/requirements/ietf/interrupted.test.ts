import { rm } from 'node:fs/promises'
import type { IncomingMessage, InformationEvent, OutgoingHttpHeaders } from 'node:http'
import http2, { type ServerHttp2Stream } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import {
  type AccessContext,
  type DataStore,
  type HandlerOptions,
  StoreComposer,
  TusError,
} from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { describe, expect, test } from 'vitest'
import {
  fileComposer,
  memoryComposer,
  openRequest,
  type Reply,
  send,
  serve,
  type Site,
  stores,
  temporaryDirectory,
  until,
  idOf,
  untilStored,
} from '../../support/serve.js'
import {
  connectHttp2,
  openStream,
  sendHttp2,
  serveHttp2,
  transports,
} from '../../support/serve-http2.js'
import { startServer } from '../../support/server-process.js'
import { noAbort, newGate, slowStore, storeWith } from '../../support/stages.js'
import { silent } from '../../support/silent.js'
import { chunked, defined, draft9, draftOf, type Version, versions } from './draft.js'

type Sent = Readonly<Record<string, string | undefined>>

const { NGHTTP2_CANCEL } = http2.constants
const mebibyte = 1_048_576

/** A request without its body. */
interface Prepared {
  readonly method: string
  readonly url: string
  readonly headers: OutgoingHttpHeaders
}

function creating({ origin }: Pick<Site, 'origin'>, version: Version, headers: Sent): Prepared {
  const all = defined({ ...draftOf(version).named, ...headers })
  return { method: 'POST', url: `${origin}/files`, headers: all }
}

function appending(url: string, version: Version, offset: number, headers: Sent): Prepared {
  const all = {
    ...draftOf(version).named,
    'content-type': 'application/partial-upload',
    'upload-offset': String(offset),
    ...headers,
  }
  return { method: 'PATCH', url, headers: defined(all) }
}

function append(
  url: string,
  version: Version,
  offset: number,
  body: string | Buffer,
  headers: Sent,
): Promise<Reply> {
  const framing = { 'content-length': String(body.length) }
  return send({ ...appending(url, version, offset, { ...framing, ...headers }), body })
}

/** Returns the request as sent, up to the body. */
function headOf({ method, url, headers }: Prepared): string {
  const lines = Object.entries({ host: 'a', ...headers }).map((line) => line.join(': '))
  return `${method} ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** Creates an upload of 11 bytes with the first 5, and returns its URL. */
async function started(site: Pick<Site, 'origin'>, version: Version): Promise<string> {
  const headers = { ...draftOf(version).more, 'upload-length': '11', 'content-length': '5' }
  const reply = await send({ ...creating(site, version, headers), body: 'hello' })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
  return new URL(reply.headers.location!, site.origin).href
}

/** Asserts that the upload is not complete, has these bytes, and can continue. */
async function expectKept(url: string, version: Version, stored: string): Promise<void> {
  const draft = draftOf(version)
  const offset = String(stored.length)
  expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': offset, ...draft.more })
  const rest = 'hello world'.slice(stored.length)
  const reply = await append(url, version, stored.length, rest, draft.end)
  expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
  expect((await send({ method: 'GET', url })).text).toBe('hello world')
}

const losses: readonly { readonly by: string; readonly lose: (socket: Socket) => void }[] = [
  { by: 'FIN', lose: (socket) => void socket.end() },
  { by: 'RST', lose: (socket) => void socket.resetAndDestroy() },
]

/** Resolves when all written bytes have been passed to the operating system. */
function written(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.write('', () => resolve()))
}

/** Resolves when the server has seen the end of its next connection. */
function closing({ server }: Site): Promise<void> {
  return new Promise((resolve) => {
    server.once('connection', (socket) => socket.once('close', () => resolve()))
  })
}

function open(port: number, bytes: string): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.resume().write(bytes)
  return socket
}

describe.each(stores)('$store store', ({ compose }) => {
  /** Starts a server, and records its events and the ids of its uploads. */
  async function site(options: Partial<HandlerOptions> = {}) {
    const composer = await compose()
    const events: string[] = []
    const ids: string[] = []
    const at = await serve({
      composer,
      logger: silent,
      takeoverAfter: 60_000,
      ...options,
      hooks: {
        postCreate: ({ upload }) => void ids.push(upload.id),
        preFinish: ({ event }) => void events.push(event.id),
        ...options.hooks,
      },
    })
    const created = async () => {
      await until(
        async () => ids.length,
        (length) => length > 0,
      )
      return `${at.origin}/files/${ids[0]}`
    }
    return { ...at, composer, events, created }
  }

  const lost = losses.flatMap((loss) => versions.map((version) => ({ version, ...loss })))

  test.each(lost)(
    'R-029 a creation lost by $by keeps its bytes, and is not complete, version $version',
    async ({ lose, version }) => {
      for (const [framing, body] of [
        [{ 'content-length': '11' }, 'hello'],
        [chunked, '5\r\nhello\r\n'],
        [{ ...chunked, 'upload-length': '11' }, '5\r\nhello\r\n'],
      ] as const) {
        const at = await site()
        const head = headOf(creating(at, version, { ...draftOf(version).end, ...framing }))
        const closed = closing(at)
        const socket = open(at.port, head + body)
        const url = await at.created()
        await untilStored(at, url, 5)
        lose(socket)
        await closed
        await expectKept(url, version, 'hello')
        expect(at.events).toEqual([`${idOf(url)}/pre-finish`])
      }
    },
  )

  test.each(lost)(
    'R-067 an append lost by $by keeps its bytes, and is not complete, version $version',
    async ({ lose, version }) => {
      const draft = draftOf(version)
      const at = await site()
      for (const says of [draft.end, draft.more]) {
        for (const [framing, body] of [
          [{ 'content-length': '6' }, ' wo'],
          [chunked, '3\r\n wo\r\n'],
        ] as const) {
          const url = await started(at, version)
          const head = headOf(appending(url, version, 5, { ...says, ...framing }))
          const closed = closing(at)
          const socket = open(at.port, head + body)
          await untilStored(at, url, 8)
          lose(socket)
          await closed
          await expectKept(url, version, 'hello wo')
        }
      }
    },
  )

  test.each(lost)(
    'R-067 all bytes without the end of the body are not the end, lost by $by, version $version',
    async ({ by, lose, version }) => {
      const draft = draftOf(version)
      const at = await site()
      for (const length of [{ 'upload-length': '11' }, {}]) {
        const first = { ...draft.more, ...length, 'content-length': '5' }
        const { headers } = await send({ ...creating(at, version, first), body: 'hello' })
        const url = at.origin + headers.location
        const head = headOf(appending(url, version, 5, { ...draft.end, ...chunked }))
        const closed = closing(at)
        const socket = open(at.port, `${head}6\r\n world\r\n`)
        // With a known length, the last bytes wait for the body's end. A reset may overtake them.
        const waits = 'upload-length' in length
        if (waits) await written(socket)
        else await untilStored(at, url, 11)
        lose(socket)
        await closed
        expect(at.events).toEqual([])
        const state = await draft.stateOf(url)
        expect(state).toMatchObject(draft.more)
        const offset = Number(state['upload-offset'])
        expect(offset).toBeOneOf(waits && by === 'RST' ? [5, 11] : [11])
        const rest = ' world'.slice(offset - 5)
        const reply = await append(url, version, offset, rest, draft.end)
        expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
        expect((await send({ method: 'GET', url })).text).toBe('hello world')
        expect(at.events.splice(0)).toEqual([`${idOf(url)}/pre-finish`])
      }
    },
  )

  test.each(versions)(
    'R-029 R-067 the declared end is lost with its request, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      for (const framing of [{}, chunked]) {
        const head = headOf(creating(at, version, { ...draft.end, 'content-length': '11' }))
        const socket = open(at.port, `${head}hello`)
        const url = await inCreation(at)
        socket.destroy()
        const all = await append(url, version, 5, ' world', { ...draft.more, ...framing })
        expect(all.headers).toMatchObject({ 'upload-offset': '11', ...draft.more })
        expect(await draft.stateOf(url)).toMatchObject({
          'upload-offset': '11',
          ...draft.more,
        })
        expect(at.events).toEqual([])
        const last = await append(url, version, 11, '', draft.end)
        expect(last.headers).toMatchObject(draft.end)
        at.events.length = 0
      }
    },
  )

  test.each(losses)(
    'R-067 bytes that are sent right before a $by are kept',
    async ({ by, lose }) => {
      const at = await site()
      const url = await started(at, 9)
      const head = headOf(appending(url, 9, 5, { ...draft9.end, 'content-length': '6' }))
      const socket = connect(at.port, '127.0.0.1').on('error', () => {})
      await new Promise((resolve) => socket.write(`${head} wo`, resolve))
      lose(socket)
      // A reset may overtake the bytes. A FIN does not.
      if (by === 'FIN') await untilStored(at, url, 8)
      const offset = Number((await draft9.stateOf(url))['upload-offset'])
      expect(offset).toBeOneOf(by === 'FIN' ? [8] : [5, 8])
      await expectKept(url, 9, 'hello wo'.slice(0, offset))
    },
  )

  test.each(['POST', 'PATCH'])(
    'R-029 R-067 the bytes of a %s are kept when its client is gone before they are read',
    async (method) => {
      let gone: Promise<void> | undefined
      const access = ({ action, request }: AccessContext) => {
        if (action === (method === 'POST' ? 'create' : 'append') && armed) {
          return (gone ??= closingOf(request!))
        }
      }
      let armed = false
      const at = await site({ hooks: { access } })
      const length = { ...draft9.end, 'content-length': '11' }
      const empty = method === 'PATCH' ? await blank(at) : undefined
      armed = true
      const head = headOf(
        empty === undefined ? creating(at, 9, length) : appending(empty, 9, 0, length),
      )
      const socket = connect(at.port, '127.0.0.1').on('error', () => {})
      socket.end(`${head}hello`)
      const url = empty ?? (await inCreation(at))
      await untilStored(at, url, 5)
      armed = false
      await expectKept(url, 9, 'hello')
      expect(gone).toBeDefined()
    },
  )

  test.each(versions)(
    'R-029 R-067 a shutdown keeps the bytes that arrived, and reports the offset, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const url = await started(at, version)
      const head = appending(url, version, 5, { ...draft.end, 'content-length': '6' })
      const appended = openRequest({ ...head, body: ' wo' })
      await untilStored(at, url, 8)
      const whole = creating(at, version, { ...draft.end, 'content-length': '11' })
      const created = openRequest({ ...whole, body: 'hell' })
      const other = await until(
        async () => [...(await idsOf(at.composer))].filter((id) => id !== idOf(url)),
        ({ length }) => length > 0,
      )
      await untilStored(at, other[0]!, 4)
      await at.handler.shutdown()
      for (const [request, offset] of [
        [appended, '8'],
        [created, '4'],
      ] as const) {
        const { status, headers } = await request.reply
        expect(status).toBe(503)
        expect(headers).toMatchObject({ 'upload-offset': offset, ...draft.more })
      }
      // HEAD still works.
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '8', ...draft.more })
      const refused = await append(url, version, 8, 'rld', draft.end)
      expect(refused.status).toBe(503)
      expect(refused.headers).toMatchObject(draft.more)
      expect(at.events).toEqual([])
      const next = await serve({ composer: at.composer })
      await expectKept(url.replace(at.origin, next.origin), version, 'hello wo')
      await expectKept(`${next.origin}/files/${other[0]}`, version, 'hell')
    },
  )

  test.each(versions)(
    'R-029 R-067 a stalled request gets 503, and the bytes that arrived are kept, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site({ idleTimeout: 20 })
      const url = await started(at, version)
      for (const [offset, body, framing] of [
        [5, ' w', { 'content-length': '6' }],
        [7, 'o', chunked],
      ] as const) {
        const head = appending(url, version, offset, { ...draft.end, ...framing })
        const { request, reply } = openRequest({ ...head, body })
        const { status, headers } = await reply
        request.destroy()
        expect(status).toBe(503)
        expect(headers).toMatchObject({
          'upload-offset': String(offset + body.length),
          'retry-after': '1',
          connection: 'close',
          ...draft.more,
        })
      }
      expect(at.events).toEqual([])
      await expectKept(url, version, 'hello wo')
    },
  )

  test('R-073 the offset never goes down, however requests take over from each other', async () => {
    const at = await site()
    const data = Buffer.from(Array.from({ length: 400_000 }, (_, index) => index % 251))
    const headers = { ...draft9.more, 'upload-length': String(data.length) }
    const created = await send(creating(at, 9, headers))
    const url = at.origin + created.headers.location
    let last = 0
    for (let round = 1; round <= 20; round++) {
      const rest = data.subarray(last)
      const framing = round % 2 === 0 ? chunked : { 'content-length': String(rest.length) }
      const { request, reply } = openRequest(appending(url, 9, last, { ...draft9.end, ...framing }))
      reply.catch(() => {})
      // How much arrives before the other requests is not known.
      const most = last + round * 1_000
      request.write(data.subarray(last, most))
      if (round % 3 === 0) request.destroy()
      for (let asked = 0; asked < 3; asked++) {
        const offset = Number((await draft9.stateOf(url))['upload-offset'])
        expect(offset).toBeGreaterThanOrEqual(last)
        expect(offset).toBeLessThanOrEqual(most)
        last = offset
      }
      request.destroy()
    }
    const finished = await append(url, 9, last, data.subarray(last), draft9.end)
    expect(finished.headers['upload-complete']).toBe('?1')
    expect((await send({ method: 'GET', url })).body.equals(data)).toBe(true)
  })

  test('R-073 a body whose digest differs does not lower the offset', async () => {
    const url = await started(await site(), 9)
    const digest = { 'content-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` }
    const reply = await append(url, 9, 5, ' world', { ...draft9.end, ...digest })
    expect(reply.status).toBe(400)
    expect(reply.headers).toMatchObject({ 'upload-offset': '5', ...draft9.more })
    await expectKept(url, 9, 'hello')
  })

  test.each(versions)(
    'R-073 an upload whose bytes are lost is gone, version %s',
    async (version) => {
      const draft = draftOf(version)
      const composer = await compose()
      const url = await started(await serve({ composer, logger: silent }), version)
      const upload = (await composer.slots().infoStore!.get(idOf(url), noAbort))!
      const signal = new AbortController().signal
      const fence = { token: 1_000, forced: false, held: () => true, shutOut() {} }
      await composer
        .slots()
        .terminator!.terminate(upload, { signal, fence, saveSecret: async () => {} })
      for (const method of ['HEAD', 'GET']) {
        const { status, headers } = await send({ method, url, headers: draft.named })
        expect(status).toBeOneOf([404, 410])
        expect(headers).not.toHaveProperty('upload-offset')
      }
      for (const offset of [0, 5]) {
        const { status, headers } = await append(url, version, offset, ' world', draft.more)
        expect(status).toBeOneOf([404, 410])
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).toMatchObject(draft.more)
      }
    },
  )

  test('R-073 an upload whose record is lost is gone', async () => {
    const composer = await compose()
    const url = await started(await serve({ composer, logger: silent }), 9)
    await composer.slots().infoStore!.delete(idOf(url), noAbort)
    const { status, headers } = await send({ method: 'HEAD', url, headers: draft9.named })
    expect(status).toBe(404)
    expect(headers).not.toHaveProperty('upload-offset')
    expect((await append(url, 9, 5, ' world', draft9.end)).status).toBe(404)
  })

  test.each(versions)(
    'R-073 a store that fails gets 500 without an offset, and nothing is lost, version %s',
    async (version) => {
      const draft = draftOf(version)
      const composer = await compose()
      const { dataStore } = composer.slots()
      let broken = false
      composer.useDataStore(
        storeWith(dataStore!, {
          async stat(upload, options) {
            if (broken) throw new Error('EIO')
            return dataStore!.stat(upload, options)
          },
        }),
      )
      const url = await started(await serve({ composer, logger: silent }), version)
      broken = true
      const failed = [
        await send({ method: 'HEAD', url, headers: draft.named }),
        await append(url, version, 5, ' world', draft.end),
      ]
      for (const { status, headers } of failed) {
        expect(status).toBe(500)
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).toMatchObject(draft.more)
      }
      broken = false
      await expectKept(url, version, 'hello')
    },
  )
})

/** Creates an empty upload, and returns its URL. */
async function blank(site: Site): Promise<string> {
  const { headers } = await send(creating(site, 9, draft9.more))
  return new URL(headers.location!, site.origin).href
}

/** Resolves when the request has ended or its client is gone. */
function closingOf(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.closed) resolve()
    else request.once('close', resolve)
  })
}

/** Waits for the first 5 bytes of a creation, and returns the URL of its upload. */
async function inCreation({ origin, handler, composer }: Site & { composer: StoreComposer }) {
  const found = await until(
    async () => {
      for (const id of await idsOf(composer)) {
        const { upload, offset } = await handler.uploads.inspect(id)
        if (upload.state.kind === 'open' && offset === 5) return id
      }
      return undefined
    },
    (id) => id !== undefined,
  )
  return `${origin}/files/${found}`
}

async function idsOf(composer: StoreComposer): Promise<string[]> {
  const ids: string[] = []
  const { signal } = new AbortController()
  for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
  return ids
}

test('R-074 an append gets its response when its bytes are stored, not when they are received', async () => {
  const { reached, pass, open: letGo } = newGate()
  const store = new MemoryStore()
  const composer = memoryComposer()
  store.useIn(composer)
  const site = await serve({ composer })
  const url = await started(site, 9)
  composer.useDataStore(slowStore(store, pass))
  const slow = await serve({ composer, flushTimeout: 600_000 })
  const target = url.replace(site.origin, slow.origin)
  let responded = false
  const reply = append(target, 9, 5, ' wo', draft9.more).finally(() => (responded = true))
  await reached
  // The response would arrive during these round trips.
  expect((await send({ method: 'HEAD', url: `${slow.origin}/files/unknown` })).status).toBe(404)
  await started(site, 9)
  expect(responded).toBe(false)
  letGo()
  const { status, headers } = await reply
  expect([status, headers['upload-offset']]).toEqual([204, '8'])
})

/** A fake for storage that fails: stores four bytes of a body, then throws. */
function failing(store: DataStore, error: () => Error): DataStore {
  return storeWith(store, {
    async append(upload, from, body, options) {
      const readable = body.readable()
      const four = async function* () {
        for await (const piece of readable) {
          yield [(piece as Buffer).subarray(0, 4)]
          return
        }
      }
      const start = { size: 4, readable: () => readable, [Symbol.asyncIterator]: four }
      await store.append(upload, from, start, options)
      throw error()
    },
  })
}

test.each(
  [
    { status: 507, error: () => new TusError('ERR_STORAGE_FULL') },
    { status: 500, error: () => new Error('secret') },
  ].flatMap((failure) => versions.map((version) => ({ version, ...failure }))),
)(
  'R-067 R-074 a body that is stored in part gets $status with the stored offset, version $version',
  async ({ version, status, error }) => {
    const draft = draftOf(version)
    const store = new MemoryStore()
    const composer = new StoreComposer().use(store, new MemoryInfoStore())
    const site = await serve({ composer, logger: silent })
    const url = await started(site, version)
    composer.useDataStore(failing(store, error))
    const broken = await serve({ composer, logger: silent })
    const target = url.replace(site.origin, broken.origin)
    const failed = await append(target, version, 5, ' world', draft.end)
    expect(failed.status).toBe(status)
    expect(failed.headers).toMatchObject({ 'upload-offset': '9', ...draft.more })
    expect(failed.text).not.toContain('secret')
    await expectKept(url, version, 'hello wor')
  },
)

test('R-073 R-074 bytes that a 104 or a response reported are still there after the server is killed', async () => {
  const directory = await temporaryDirectory()
  const options = { directory, interimResponses: true, progressInterval: 0.001 }
  const data = Buffer.alloc(6 * mebibyte, 'hello world')
  const first = await startServer(options)
  const created = await send({
    ...creating(first, 9, { ...draft9.more, 'content-length': '100000' }),
    body: data.subarray(0, 100_000),
  })
  expect([created.status, created.headers['upload-offset']]).toEqual([201, '100000'])
  const path = created.headers.location!
  const { request, reply } = openRequest(
    appending(first.origin + path, 9, 100_000, {
      ...draft9.end,
      'content-length': String(data.length - 100_000),
    }),
  )
  const reported = await new Promise<number>((resolve) => {
    request.on('information', ({ headers }: InformationEvent) => {
      const offset = Number(headers['upload-offset'])
      if (offset > 2 * mebibyte) resolve(offset)
    })
    request.write(data.subarray(100_000, 4 * mebibyte))
  })
  await first.kill()
  await expect(reply).rejects.toThrow()
  const site = await serve({ composer: fileComposer(directory) })
  const state = await draft9.stateOf(site.origin + path)
  const offset = Number(state['upload-offset'])
  expect(offset).toBeGreaterThanOrEqual(reported)
  expect(offset).toBeLessThanOrEqual(4 * mebibyte)
  expect(state).toMatchObject(draft9.more)
  const rest = await append(site.origin + path, 9, offset, data.subarray(offset), draft9.end)
  expect(rest.headers['upload-complete']).toBe('?1')
  const content = await send({ method: 'GET', url: site.origin + path })
  expect(content.body.equals(data)).toBe(true)
})

test('R-073 an upload whose file is removed is gone', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory), logger: silent })
  const url = await started(site, 9)
  await rm(join(directory, idOf(url)))
  const { status, headers } = await send({ method: 'HEAD', url, headers: draft9.named })
  expect(status).toBeOneOf([404, 410])
  expect(headers).not.toHaveProperty('upload-offset')
  expect((await append(url, 9, 0, 'hello world', draft9.end)).status).toBeOneOf([404, 410])
})

describe.each(transports)('over HTTP/2, $transport', ({ secure }) => {
  async function setUp() {
    const events: string[] = []
    const preFinish = ({ upload }: { upload: { id: string } }) => void events.push(upload.id)
    const composer = memoryComposer()
    const options = { composer, logger: silent, takeoverAfter: 60_000, hooks: { preFinish } }
    const site = await serve(options)
    const other = await serveHttp2(site.handler as never, secure)
    /** Resolves when the server has seen the end of the next stream. */
    const closing = () =>
      new Promise<void>((resolve) => {
        other.server.once('stream', (stream: ServerHttp2Stream) => {
          stream.once('close', resolve)
        })
      })
    const anew = () => connectHttp2(other)
    return { ...site, composer, events, closing, session: anew(), anew }
  }

  const losses2 = [
    {
      by: 'a reset of the stream',
      lose: ({ stream }: ReturnType<typeof openStream>) => stream.close(NGHTTP2_CANCEL),
      // Node's client ends the body before it resets the stream. Only the size reveals the loss.
      framings: [{ 'content-length': '6' }, { 'upload-length': '11' }],
    },
    {
      by: 'the end of the connection',
      lose: ({ stream }: ReturnType<typeof openStream>) => stream.session!.destroy(),
      framings: [{ 'content-length': '6' }, { 'upload-length': '11' }, {}],
    },
  ]

  test.each(
    losses2.flatMap(({ framings, ...loss }) => framings.map((framing) => ({ framing, ...loss }))),
  )(
    'R-067 an append lost by $by keeps its bytes, and is not complete: $framing',
    async ({ lose, framing }) => {
      const site = await setUp()
      const url = await unfinished(site)
      const closed = site.closing()
      const open = openStream(site.session, {
        ':method': 'PATCH',
        ':path': new URL(url).pathname,
        'content-type': 'application/partial-upload',
        'upload-offset': '5',
        ...draft9.named,
        ...draft9.end,
        ...framing,
      })
      open.stream.write(' wo')
      await untilStored(site, url, 8)
      lose(open)
      await expect(open.reply).rejects.toThrow()
      await closed
      const { headers } = await send({ method: 'HEAD', url, headers: draft9.named })
      expect(headers).toMatchObject({ 'upload-offset': '8', ...draft9.more })
      expect(site.events).toEqual([])
      const rest = await sendHttp2(
        site.anew(),
        {
          ':method': 'PATCH',
          ':path': new URL(url).pathname,
          'content-type': 'application/partial-upload',
          'upload-offset': '8',
          ...draft9.named,
          ...draft9.end,
        },
        'rld',
      )
      expect(rest.headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
      expect(site.events).toEqual([idOf(url)])
    },
  )

  /** Creates an upload of 5 bytes and unknown length, and returns its URL. */
  async function unfinished(site: Site): Promise<string> {
    const headers = { ...draft9.more, 'content-length': '5' }
    const created = await send({ ...creating(site, 9, headers), body: 'hello' })
    return site.origin + created.headers.location
  }

  test('R-054 R-067 HEAD on the same connection ends an append, and reports its bytes', async () => {
    const site = await setUp()
    const url = await unfinished(site)
    const path = new URL(url).pathname
    const open = openStream(site.session, {
      ':method': 'PATCH',
      ':path': path,
      'content-type': 'application/partial-upload',
      'upload-offset': '5',
      ...draft9.named,
      ...draft9.end,
    })
    open.stream.write(' wo')
    await untilStored(site, url, 8)
    const asked = await sendHttp2(site.session, {
      ':method': 'HEAD',
      ':path': path,
      ...draft9.named,
    })
    expect(asked.status).toBe(204)
    expect(asked.headers).toMatchObject({ 'upload-offset': '8', ...draft9.more })
    await expect(open.reply).rejects.toThrow()
    const rest = await sendHttp2(
      site.session,
      {
        ':method': 'PATCH',
        ':path': path,
        'content-type': 'application/partial-upload',
        'upload-offset': '8',
        ...draft9.named,
        ...draft9.end,
      },
      'rld',
    )
    expect(rest.headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
    expect((await send({ method: 'GET', url })).text).toBe('hello world')
  })

  test('R-029 a creation whose connection is lost is not complete', async () => {
    const site = await setUp()
    const closed = site.closing()
    const { stream, reply } = openStream(site.session, {
      ':method': 'POST',
      ':path': '/files',
      ...draft9.named,
      ...draft9.end,
    })
    stream.write('hello')
    const url = await inCreation(site)
    site.session.destroy()
    await expect(reply).rejects.toThrow()
    await closed
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
    expect(site.events).toEqual([])
  })
})
