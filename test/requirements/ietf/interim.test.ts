import http, { type InformationEvent, type OutgoingHttpHeaders } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http2'
import type { HandlerOptions } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  listen,
  memoryComposer,
  type OpenRequest,
  openRequest,
  send,
  sendRaw,
  type Sent,
  serve,
  type Site,
  stores,
} from '../../support/serve.js'
import { connectHttp2, openStream, serveHttp2, transports } from '../../support/serve-http2.js'
import { slowStore, newGate } from '../../support/stages.js'
import { silent } from '../../support/silent.js'
import { draft9, draftOf } from './draft.js'

const versions = [3, 4, 5, 6, 7, 8, 9]
const reporting = [5, 6, 7, 8, 9]
const mebibyte = 1_048_576

/** Progress is reported as often as the option allows. */
const often = { interimResponses: true, progressInterval: 0.001 }

interface RecordedRequest extends OpenRequest {
  /** The interim responses so far, except `100`. */
  readonly interims: readonly InformationEvent[]
  /** Resolves as soon as the interim responses satisfy `holds`. */
  until(holds: (interims: readonly InformationEvent[]) => boolean): Promise<void>
}

/** Opens a request, and records its interim responses. */
function ask(sent: Sent): RecordedRequest {
  const interims: InformationEvent[] = []
  const waiting: (() => void)[] = []
  const { request, reply } = openRequest(sent)
  request.on('information', (information) => {
    interims.push(information)
    for (const look of waiting) look()
  })
  return {
    request,
    reply,
    interims,
    until: (holds) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (holds(interims)) resolve()
        }
        waiting.push(look)
        reply.then(
          () => (holds(interims) ? resolve() : reject(new Error('The final response came first'))),
          reject,
        )
        look()
      }),
  }
}

function creation({ origin }: Pick<Site, 'origin'>, headers: OutgoingHttpHeaders): RecordedRequest {
  return ask({ method: 'POST', url: `${origin}/files`, headers })
}

/** Creates an empty upload, and returns its URL. */
async function created(site: Pick<Site, 'origin'>, length: number): Promise<string> {
  const { status, headers } = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...draft9.completes(false), 'upload-length': String(length) },
  })
  expect(status).toBe(201)
  return new URL(headers.location!, site.origin).href
}

function append(
  url: string,
  offset: number,
  version: number,
  headers: OutgoingHttpHeaders,
): RecordedRequest {
  const draft = draftOf(version)
  return ask({
    method: 'PATCH',
    url,
    headers: {
      'content-type': 'application/partial-upload',
      'upload-offset': String(offset),
      ...draft.named,
      ...draft.completes(true),
      ...headers,
    },
  })
}

function offsetsOf(interims: readonly InformationEvent[]): number[] {
  return interims.map(({ headers }) => Number(headers['upload-offset']))
}

async function storedOffset(url: string): Promise<number> {
  const { status, headers } = await send({ method: 'HEAD', url })
  expect(status).toBe(204)
  return Number(headers['upload-offset'])
}

/** Parses the responses on a connection: the first line and the headers of each. */
function responsesIn(text: string) {
  return text.match(/HTTP\/1\.1 \d{3}.*?\r\n\r\n/gs)!.map((head) => {
    const [line = '', ...lines] = head.trimEnd().split('\r\n')
    const names = lines.map((header) => header.slice(0, header.indexOf(':')).toLowerCase())
    return { status: Number(line.split(' ')[1]), line, names }
  })
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), logger: silent, ...often, ...options })
  }

  test.each(versions)(
    'R-040 R-041 the first 104 of a creation comes before its body, with the URL of the upload, version %i',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const { request, reply, interims, until } = creation(at, {
        ...draft.named,
        ...draft.completes(false),
        'content-length': '5',
      })
      await until(({ length }) => length > 0)
      const [{ statusCode, headers }] = interims as [InformationEvent]
      expect(statusCode).toBe(104)
      expect(headers['upload-draft-interop-version']).toBe(String(version))
      request.end('hello')
      const { status, headers: final } = await reply
      expect(status).toBe(201)
      expect(headers.location).toMatch(/^\/files\/[\w.~-]+$/)
      expect(final.location).toBe(headers.location)
      expect(await storedOffset(new URL(headers.location!, at.origin).href)).toBe(5)
      expect(interims.length).toBe(1)
    },
  )

  test('R-040 the upload that a 104 announces outlives the connection', async () => {
    const at = await site()
    const { request, interims, until } = creation(at, {
      ...draftOf(8).named,
      ...draftOf(8).completes(true),
      'content-length': '5',
    })
    await until(({ length }) => length > 0)
    request.destroy()
    const url = new URL(interims[0]!.headers.location!, at.origin).href
    expect(await storedOffset(url)).toBe(0)
    const { reply, request: rest } = append(url, 0, 8, { 'content-length': '5' })
    rest.end('hello')
    expect((await reply).headers['upload-complete']).toBe('?1')
  })
})

test.each(versions)('R-040 the first 104 has the limits, version %i', async (version) => {
  const draft = draftOf(version)
  const site = await serve({
    ...often,
    maxSize: 1_000,
    maxAppendSize: 500,
    expiration: { after: 3_600_000 },
  })
  const { request, reply, interims, until } = creation(site, {
    ...draft.named,
    ...draft.completes(true),
    'content-length': '5',
  })
  await until(({ length }) => length > 0)
  const limits = String(interims[0]!.headers['upload-limit']).split(', ')
  const age = version <= 6 ? 'expires' : 'max-age'
  expect(limits).toEqual(expect.arrayContaining(['max-size=1000', 'max-append-size=500']))
  expect(limits.join()).toMatch(new RegExp(`\\b${age}=(3600|359\\d)\\b`))
  expect(limits.length).toBe(3)
  request.end('hello')
  expect((await reply).headers).toHaveProperty(...Object.entries(draft.completes(true))[0]!)
})

test('R-040 a creation gets a 104 with any method that has content', async () => {
  const site = await serve(often)
  for (const method of ['POST', 'PUT', 'PATCH']) {
    const headers = { ...draft9.named, ...draft9.completes(true), 'content-length': '5' }
    const { request, reply, interims, until } = ask({
      method,
      url: `${site.origin}/files`,
      headers,
    })
    await until(({ length }) => length > 0)
    request.end('hello')
    expect((await reply).status).toBe(201)
    expect(interims[0]!.headers.location).toMatch(/^\/files\//)
  }
})

test('R-040 a refused creation gets no 104', async () => {
  const site = await serve({ ...often, maxSize: 4 })
  const { request, reply, interims } = creation(site, {
    ...draft9.named,
    ...draft9.completes(true),
    'content-length': '5',
  })
  request.end('hello')
  expect((await reply).status).toBe(413)
  expect(interims).toEqual([])
})

const unspoken: [string, OutgoingHttpHeaders][] = [
  ['no version', {}],
  ['version 99', { 'upload-draft-interop-version': '99' }],
  ['version 2', { 'upload-draft-interop-version': '2' }],
  ['version 10', { 'upload-draft-interop-version': '10' }],
  ['the version abc', { 'upload-draft-interop-version': 'abc' }],
  ['the version 9.0', { 'upload-draft-interop-version': '9.0' }],
  ['an empty version', { 'upload-draft-interop-version': '' }],
  ['two lines of the version', { 'upload-draft-interop-version': ['9', '9'] }],
]

test.each(unspoken)('R-042 a creation with %s gets no 104 at all', async (_, version) => {
  const site = await serve(often)
  const { request, reply, interims } = creation(site, {
    ...version,
    ...draft9.completes(true),
    'content-length': String(3 * mebibyte),
  })
  request.end(Buffer.alloc(3 * mebibyte))
  expect((await reply).status).toBe(201)
  expect(interims).toEqual([])
})

test.each(unspoken)('R-042 an append with %s gets no 104 at all', async (_, version) => {
  const site = await serve(often)
  const url = await created(site, 3 * mebibyte)
  const { request, reply, interims } = ask({
    method: 'PATCH',
    url,
    headers: {
      ...version,
      ...draft9.completes(true),
      'content-type': 'application/partial-upload',
      'upload-offset': '0',
      'content-length': String(3 * mebibyte),
    },
  })
  request.end(Buffer.alloc(3 * mebibyte))
  expect((await reply).headers['upload-complete']).toBe('?1')
  expect(interims).toEqual([])
})

describe.each(stores)('progress, $store store', ({ compose }) => {
  test.each(reporting)(
    'R-041 R-043 R-044 an append gets the durable offset, without a Location, version %i',
    async (version) => {
      const site = await serve({ composer: await compose(), ...often })
      const url = await created(site, 8 * mebibyte)
      const headers = { 'content-length': String(8 * mebibyte) }
      const { request, reply, interims, until } = append(url, 0, version, headers)
      // Each part that is sent is reported in turn.
      for (let sent = 1; sent <= 3; sent++) {
        const before = interims.length
        request.write(Buffer.alloc(2 * mebibyte))
        await until(({ length }) => length > before)
      }
      const reported = offsetsOf(interims)
      expect(reported).toEqual([...new Set(reported)].toSorted((a, b) => a - b))
      expect(reported.at(-1)).toBeLessThanOrEqual(6 * mebibyte)
      for (const { statusCode, headers } of interims) {
        expect(statusCode).toBe(104)
        expect(headers['upload-draft-interop-version']).toBe(String(version))
        expect(headers).not.toHaveProperty('location')
      }
      // HEAD ends the append, and does not report less.
      expect(await storedOffset(url)).toBeGreaterThanOrEqual(reported.at(-1)!)
      await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    },
  )

  test('R-043 R-044 a creation gets the durable offset, without another Location', async () => {
    const site = await serve({ composer: await compose(), ...often })
    const { request, reply, interims, until } = creation(site, {
      ...draft9.named,
      ...draft9.completes(true),
      'content-length': String(4 * mebibyte),
    })
    await until(({ length }) => length > 0)
    const [{ headers: first }] = interims as [InformationEvent]
    request.write(Buffer.alloc(2 * mebibyte))
    await until(({ length }) => length > 1)
    request.end(Buffer.alloc(2 * mebibyte))
    expect((await reply).status).toBe(201)
    for (const { headers } of interims.slice(1)) {
      expect(headers.location).toBeOneOf([undefined, first.location])
      expect(headers['upload-draft-interop-version']).toBe('9')
    }
    const reported = offsetsOf(interims.slice(1))
    expect(reported.length).toBeGreaterThan(0)
    expect(reported).toEqual([...new Set(reported)].toSorted((a, b) => a - b))
    expect(reported.at(-1)).toBeLessThanOrEqual(4 * mebibyte)
  })
})

test('R-043 an append that resumes gets the offset in the upload', async () => {
  const site = await serve(often)
  const url = await created(site, 5 * mebibyte)
  const first = append(url, 0, 9, {
    ...draft9.completes(false),
    'content-length': String(3 * mebibyte),
  })
  first.request.end(Buffer.alloc(3 * mebibyte))
  expect((await first.reply).status).toBe(204)
  const second = append(url, 3 * mebibyte, 9, { 'content-length': String(2 * mebibyte) })
  second.request.write(Buffer.alloc(1.5 * mebibyte))
  await second.until(({ length }) => length > 0)
  expect(offsetsOf(second.interims)[0]).toBeGreaterThanOrEqual(4 * mebibyte)
  second.request.end(Buffer.alloc(0.5 * mebibyte))
  expect((await second.reply).headers['upload-complete']).toBe('?1')
})

test('R-043 bytes that are received and not stored yet are not reported', async () => {
  const { reached, pass, open } = newGate()
  const store = new MemoryStore()
  const composer = memoryComposer()
  store.useIn(composer)
  composer.useDataStore(slowStore(store, pass))
  const site = await serve({ composer, ...often })
  const url = await created(site, 3 * mebibyte)
  const headers = { 'content-length': String(3 * mebibyte) }
  const { request, reply, interims, until } = append(url, 0, 9, headers)
  request.write(Buffer.alloc(2.5 * mebibyte))
  await reached
  // The response would arrive during this round trip.
  await created(site, 1)
  expect(interims).toEqual([])
  open()
  await until(({ length }) => length > 0)
  request.end(Buffer.alloc(0.5 * mebibyte))
  expect((await reply).headers['upload-complete']).toBe('?1')
})

test.each([3, 4])(
  'R-043 version %i does not know progress reports, and gets none',
  async (version) => {
    const draft = draftOf(version)
    const site = await serve(often)
    const url = await created(site, 4 * mebibyte)
    const headers = { 'content-length': String(4 * mebibyte) }
    const appended = append(url, 0, version, headers)
    appended.request.end(Buffer.alloc(4 * mebibyte))
    await appended.reply
    expect(appended.interims).toEqual([])
    const whole = creation(site, { ...draft.named, ...draft.completes(true), ...headers })
    whole.request.end(Buffer.alloc(4 * mebibyte))
    await whole.reply
    expect(whole.interims.map(({ headers }) => headers.location)).toEqual([
      expect.stringMatching(/^\/files\//),
    ])
  },
)

/** Starts a server that leaves `Expect` to Node, as servers of applications do. */
async function plainSite(): Promise<Pick<Site, 'origin' | 'port'>> {
  const { handler } = await serve({ interimResponses: true })
  const server = http.createServer((request, response) => void handler(request, response))
  const port = await listen(server)
  onTestFinished(() => void server.close().closeAllConnections())
  return { origin: `http://127.0.0.1:${port}`, port }
}

test.each([
  ['createUploadServer', () => serve({ interimResponses: true })],
  ['a plain http.Server', plainSite],
])('R-045 Expect: 100-continue gets 100 in addition to 104, from %s', async (_, start) => {
  const site = await start()
  const { request, reply, interims, until } = creation(site, {
    ...draftOf(8).named,
    ...draftOf(8).completes(true),
    expect: '100-continue',
    'content-length': '5',
  })
  await new Promise((resolve) => request.once('continue', resolve))
  await until((all) => all.some(({ statusCode }) => statusCode === 104))
  request.end('hello')
  const { status, headers } = await reply
  expect([status, headers['upload-complete']]).toEqual([201, '?1'])
  expect(interims.filter(({ statusCode }) => statusCode === 104).length).toBe(1)
})

test('R-046 an HTTP/1.0 request gets no interim response', async () => {
  const site = await serve(often)
  const lines = 'upload-complete: ?1\r\nupload-draft-interop-version: 8\r\ncontent-length: '
  const send = (protocol: string) => {
    const head = `POST /files HTTP/${protocol}\r\nhost: a\r\nconnection: close\r\n${lines}`
    const body = Buffer.alloc(3 * mebibyte)
    return sendRaw(site.port, Buffer.concat([Buffer.from(`${head}${body.length}\r\n\r\n`), body]))
  }
  expect(responsesIn(await send('1.0')).map(({ status }) => status)).toEqual([201])
  // An HTTP/1.1 request does.
  expect(responsesIn(await send('1.1'))[0]!.status).toBe(104)
})

test('R-047 a 104 has no content, and none follows the final response', async () => {
  const site = await serve({ ...often, maxSize: 3 * mebibyte })
  const head =
    'POST /files HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n' +
    'upload-complete: ?1\r\nupload-draft-interop-version: 9\r\n\r\n'
  const block = mebibyte.toString(16)
  const pieces = Array.from({ length: 6 }, () => [
    Buffer.from(`${block}\r\n`),
    Buffer.alloc(mebibyte, 'a'),
    Buffer.from('\r\n'),
  ])
  const body = [Buffer.from(head), ...pieces.flat(), Buffer.from('0\r\n\r\n')]
  const text = await sendRaw(site.port, Buffer.concat(body))
  const responses = responsesIn(text)
  expect(responses.at(-1)!.status).toBe(413)
  expect(responses.length).toBeGreaterThan(1)
  const known = ['location', 'upload-limit', 'upload-draft-interop-version', 'upload-offset']
  for (const { line, names } of responses.slice(0, -1)) {
    expect(line).toBe('HTTP/1.1 104 Upload Resumption Supported')
    expect(names.filter((name) => !known.includes(name))).toEqual([])
  }
  // The heads follow each other, and only the last has a body.
  expect(text.split('\r\n\r\n').slice(0, responses.length)).toEqual(
    text.match(/HTTP\/1\.1 \d{3}.*?(?=\r\n\r\n)/gs),
  )
})

test('R-047 pipelined requests each get their own 104 before their own response', async () => {
  const site = await serve(often)
  const head = (connection: string) =>
    `POST /files HTTP/1.1\r\nhost: a\r\nconnection: ${connection}\r\ncontent-length: 5\r\n` +
    'upload-complete: ?1\r\nupload-draft-interop-version: 9\r\n\r\nhello'
  const text = await sendRaw(site.port, head('keep-alive') + head('close'))
  expect(responsesIn(text).map(({ status }) => status)).toEqual([104, 201, 104, 201])
  const locations = [...text.matchAll(/\r\nlocation: (.+)\r\n/gi)].map(([, location]) => location)
  expect(locations[0]).toBe(locations[1])
  expect(locations[2]).toBe(locations[3])
  expect(locations[0]).not.toBe(locations[2])
})

test('R-048 progress is reported at most once per progressInterval', async () => {
  const site = await serve({ interimResponses: true, progressInterval: 3_600_000 })
  const url = await created(site, 8 * mebibyte)
  const headers = { 'content-length': String(8 * mebibyte) }
  const { request, reply, interims } = append(url, 0, 9, headers)
  request.end(Buffer.alloc(8 * mebibyte))
  expect((await reply).headers['upload-complete']).toBe('?1')
  expect(interims).toEqual([])
})

test('R-048 progress is reported at most once per mebibyte', async () => {
  const site = await serve(often)
  const url = await created(site, 4 * mebibyte)
  const headers = { 'content-length': String(4 * mebibyte) }
  const { request, reply, interims } = append(url, 0, 9, headers)
  for (let sent = 0; sent < 256; sent++) {
    const piece = Buffer.alloc((4 * mebibyte) / 256)
    await new Promise((resolve) => request.write(piece, resolve))
  }
  request.end()
  expect((await reply).headers['upload-complete']).toBe('?1')
  const reported = [0, ...offsetsOf(interims)]
  for (let index = 1; index < reported.length; index++) {
    expect(reported[index]! - reported[index - 1]!).toBeGreaterThanOrEqual(mebibyte)
  }
  expect(interims.length).toBeGreaterThan(0)
})

test.each([
  ['by default', {}],
  ['when it is disabled', { interimResponses: false }],
])('R-049 there is no 104 %s, and uploads can still be resumed', async (_, options) => {
  const site = await serve({ progressInterval: 0.001, ...options })
  const { request, reply, interims } = creation(site, {
    ...draft9.named,
    ...draft9.completes(false),
    'content-length': String(3 * mebibyte),
  })
  request.end(Buffer.alloc(3 * mebibyte))
  const { status, headers } = await reply
  expect(status).toBe(201)
  const url = new URL(headers.location!, site.origin).href
  const rest = append(url, await storedOffset(url), 9, { 'content-length': String(3 * mebibyte) })
  rest.request.end(Buffer.alloc(3 * mebibyte))
  expect((await rest.reply).headers['upload-complete']).toBe('?1')
  expect([...interims, ...rest.interims]).toEqual([])
})

describe.each(transports)('over HTTP/2, $transport', ({ secure }) => {
  async function session() {
    const { handler } = await serve({ ...often, logger: silent })
    return connectHttp2(await serveHttp2(handler as never, secure))
  }

  type Session = Awaited<ReturnType<typeof session>>

  /** Opens a request, and records its interim responses. */
  function askHttp2(from: Session, headers: OutgoingHttpHeaders) {
    const interims: IncomingHttpHeaders[] = []
    const { stream, reply } = openStream(from, headers)
    const waiting: (() => void)[] = []
    stream.on('headers', (reported) => {
      interims.push(reported)
      for (const look of waiting.splice(0)) look()
    })
    const next = () => new Promise<void>((resolve) => void waiting.push(resolve))
    return { stream, reply, interims, next }
  }

  const post = { ':method': 'POST', ':path': '/files' }

  test('R-040 R-041 the first 104 of a creation comes before its body', async () => {
    const { stream, reply, interims, next } = askHttp2(await session(), {
      ...post,
      ...draft9.named,
      ...draft9.completes(true),
    })
    await next()
    expect(interims[0]).toMatchObject({
      ':status': 104,
      location: expect.stringMatching(/^\/files\//),
      'upload-limit': 'min-size=0',
      'upload-draft-interop-version': '9',
    })
    stream.end('hello')
    const { status, headers } = await reply
    expect(status).toBe(201)
    expect(headers).toMatchObject({
      location: interims[0]!.location,
      'upload-offset': '5',
      'upload-complete': '?1',
    })
    expect(interims.length).toBe(1)
  })

  test.each(unspoken.filter(([, { 'upload-draft-interop-version': value }]) => value !== ''))(
    'R-042 a creation with %s gets no 104 at all',
    async (_, version) => {
      const { stream, reply, interims } = askHttp2(await session(), {
        ...post,
        ...version,
        ...draft9.completes(true),
      })
      stream.end(Buffer.alloc(3 * mebibyte))
      expect((await reply).status).toBe(201)
      expect(interims).toEqual([])
    },
  )

  test('R-043 R-044 R-047 an append gets the durable offset, without a Location', async () => {
    const from = await session()
    const created = askHttp2(from, { ...post, ...draft9.completes(false) })
    created.stream.end()
    const { headers } = await created.reply
    const { stream, reply, interims, next } = askHttp2(from, {
      ':method': 'PATCH',
      ':path': headers.location!,
      'content-type': 'application/partial-upload',
      'upload-offset': '0',
      ...draft9.named,
      ...draft9.completes(true),
    })
    const first = next()
    stream.write(Buffer.alloc(2 * mebibyte))
    await first
    const second = next()
    stream.write(Buffer.alloc(2 * mebibyte))
    await second
    stream.end()
    expect((await reply).headers).toMatchObject({
      'upload-offset': String(4 * mebibyte),
      'upload-complete': '?1',
    })
    const reported = interims.map((all) => Number(all['upload-offset']))
    expect(reported).toEqual([...new Set(reported)].toSorted((a, b) => a - b))
    expect(reported.at(-1)).toBeLessThanOrEqual(4 * mebibyte)
    for (const all of interims) {
      expect(Object.keys(all).toSorted()).toEqual([
        ':status',
        'upload-draft-interop-version',
        'upload-offset',
      ])
    }
  })
})
