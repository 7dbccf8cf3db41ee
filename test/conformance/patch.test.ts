import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import {
  createServer,
  StoreComposer,
  TusError,
  type AccessContext,
  type DataStore,
  type HandlerOptions,
} from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  chunk,
  createUpload,
  download,
  head,
  listen,
  openPatch,
  patch,
  remove,
  send,
  sendRaw,
  serve,
  stores,
  until,
  untilOffset,
  type Site,
} from '../serve.js'
import { newGate } from './gate.js'

const silent = { error() {}, warn() {}, info() {}, debug() {} }

/** The head of a PATCH as it goes over the wire; the connection stays open unless a header says otherwise. */
function patchHead(url: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: 'a', ...chunk, ...headers }).map((line) => line.join(': '))
  return `PATCH ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** Resolves when the request is over or its client is gone. */
function closing(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.closed) resolve()
    else request.once('close', resolve)
  })
}

async function offsetOf(url: string): Promise<unknown> {
  return (await head(url)).headers['upload-offset']
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), stalledAfter: 60_000, logger: silent, ...options })
  }

  test('T-050 a chunk at the offset is answered 204 with the new offset and nothing else', async () => {
    const at = await site()
    const url = await createUpload(at)
    const first = await patch(url, 0, 'hello')
    expect([first.status, first.headers['upload-offset']]).toEqual([204, '5'])
    const close = { 'upload-offset': '5', 'content-length': '6', connection: 'close' }
    const text = await sendRaw(at.port, `${patchHead(url, close)} world`)
    const [top = '', body] = text.split('\r\n\r\n')
    expect(top).toMatch(/^HTTP\/1\.1 204 /)
    expect(top).toMatch(/\r\nupload-offset: 11\r\n/i)
    expect(top).not.toMatch(/\r\n(content-length|transfer-encoding|content-type):/i)
    expect(body).toBe('')
    expect(await download(url)).toBe('hello world')
  })

  test.each([0, 4, 6, 11, 12, 9007199254740991])(
    'T-051 the wrong offset %i is answered 409 with the right one and stores nothing',
    async (offset) => {
      const url = await createUpload(await site())
      await patch(url, 0, 'hello')
      for (const body of ['HELLO', '']) {
        const { status, headers, text } = await patch(url, offset, body)
        expect([status, headers['upload-offset']]).toEqual([409, '5'])
        expect(text).toMatch(/^ERR_OFFSET_MISMATCH: /)
      }
      expect((await patch(url, 5, ' world')).status).toBe(204)
      expect(await download(url)).toBe('hello world')
    },
  )

  test('T-051 a refusal does not cost the connection, nor does its body become a request', async () => {
    const at = await site()
    const url = await createUpload(at)
    const refused = patchHead(url, { 'upload-offset': '5', 'content-length': '30' })
    const right = { 'upload-offset': '0', 'content-length': '11', connection: 'close' }
    const socket = connect(at.port, '127.0.0.1').setEncoding('latin1')
    socket.write(`${refused}${'DELETE /files HTTP/1.1\r\nA: b\r\n'.slice(0, 30)}`)
    expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1\.1 409 /)
    socket.write(`${patchHead(url, right)}hello world`)
    expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1\.1 204 /)
    await once(socket, 'close')
    expect(await download(url)).toBe('hello world')
  })

  test('T-056 many small chunks and one large one give the same bytes', async () => {
    const data = randomBytes(300_007)
    const length = String(data.length)
    const [whole, pieces] = [
      await createUpload(await site(), { 'upload-length': length }),
      await createUpload(await site(), { 'upload-length': length }),
    ]
    expect((await patch(whole, 0, data)).headers['upload-offset']).toBe(length)
    let offset = 0
    for (const size of [1, 2, 4095, 4096, 4097, 65_536, 65_537, 1, 99_999, 300_007]) {
      const piece = data.subarray(offset, offset + size)
      const { headers } = await patch(pieces, offset, piece)
      offset += piece.length
      expect(headers['upload-offset']).toBe(String(offset))
    }
    const digests = await Promise.all(
      [whole, pieces].map(async (url) => {
        const { body } = await send({ method: 'GET', url })
        return createHash('sha256').update(body).digest('hex')
      }),
    )
    const expected = createHash('sha256').update(data).digest('hex')
    expect(digests).toEqual([expected, expected])
  })

  test('T-058 what arrived before the connection was lost is kept, and nothing is finished', async () => {
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

  test('T-058 what arrived is kept when the client is gone before the access hook decides', async () => {
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

  test('T-058 what arrived is kept when the client is gone before the handler is asked', async () => {
    const { handler } = await site()
    const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
      if (request.method === 'PATCH') await closing(request)
      await handler(request, response)
    })
    const port = await listen(server)
    onTestFinished(() => server.stop())
    const url = await createUpload({ origin: `http://127.0.0.1:${port}` })
    const socket = connect(port, '127.0.0.1').resume()
    socket.end(`${patchHead(url, { 'upload-offset': '0', 'content-length': '11' })}hello`)
    await untilOffset(url, 5)
  })

  test('T-058 what was sent with a FIN right behind it is kept', async () => {
    const at = await site()
    const url = await createUpload(at, { 'upload-length': '1000000' })
    const socket = connect(at.port, '127.0.0.1')
    const top = patchHead(url, { 'upload-offset': '0', 'content-length': '1000000' })
    socket.on('error', () => {})
    socket.end(Buffer.concat([Buffer.from(top), Buffer.alloc(10_000, 'a')]))
    await untilOffset(url, 10_000)
    expect((await patch(url, 10_000, Buffer.alloc(990_000, 'b'))).status).toBe(204)
  })

  test('T-060 a chunked body is accepted', async () => {
    const url = await createUpload(await site())
    const first = await patch(url, 0, 'hello', { 'transfer-encoding': 'chunked' })
    expect([first.status, first.headers['upload-offset']]).toEqual([204, '5'])
    const { request, reply } = openPatch(url, 5, { 'transfer-encoding': 'chunked' })
    for (const letter of ' world') request.write(letter)
    request.end()
    expect((await reply).headers['upload-offset']).toBe('11')
    expect(await download(url)).toBe('hello world')
  })

  test('T-061 an empty chunk changes nothing', async () => {
    const url = await createUpload(await site())
    await patch(url, 0, 'hello')
    for (const headers of [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
      const reply = await patch(url, 5, '', headers)
      expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '5'])
    }
    expect(await offsetOf(url)).toBe('5')
  })

  test('T-062 a Content-Length beyond the length is answered 413 before a byte is stored', async () => {
    const url = await createUpload(await site())
    await patch(url, 0, 'hello')
    // Refused on sight of the head: the body never comes.
    const { request, reply } = openPatch(url, 5, { 'content-length': '7' })
    const { status, headers, text } = await reply
    expect([status, headers['upload-offset']]).toEqual([413, '5'])
    expect(text).toMatch(/^ERR_LENGTH_EXCEEDED: /)
    request.destroy()
    expect((await patch(url, 5, ' world!')).status).toBe(413)
    expect(await offsetOf(url)).toBe('5')
  })

  test('T-063 a chunked body beyond the length is answered 413 and the overrun is dropped', async () => {
    const url = await createUpload(await site())
    const over = await patch(url, 0, 'hello world!', { 'transfer-encoding': 'chunked' })
    expect(over.status).toBe(413)
    expect([over.headers['upload-offset'], await offsetOf(url)]).toEqual(['0', '0'])

    const { request, reply } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
    request.write('hello')
    await untilOffset(url, 5)
    request.end(' world!')
    expect((await reply).status).toBe(413)
    expect([(await reply).headers['upload-offset'], await offsetOf(url)]).toEqual(['5', '5'])
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-063 an overrun is one too when all of it came before it was looked at', async () => {
    const arrived = ({ request }: { request: IncomingMessage | undefined }) =>
      until(
        async () => request!.method !== 'PATCH' || request!.complete,
        (complete) => complete,
      ).then(() => {})
    const url = await createUpload(await site({ hooks: { access: arrived } }))
    for (const [offset, body] of [
      [0, 'hello world!'],
      [0, 'hello world'],
      [11, '!'],
    ] as const) {
      const reply = await patch(url, offset, body, { 'transfer-encoding': 'chunked' })
      expect(reply.status).toBe(body === 'hello world' ? 204 : 413)
    }
    expect(await download(url)).toBe('hello world')
  })

  test('T-063 the end of a chunked body is held until it is seen to be the end', async () => {
    const url = await createUpload(await site())
    const { request, reply } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
    request.write('hello ')
    await untilOffset(url, 6)
    request.write('world')
    request.write('!')
    expect([(await reply).status, (await reply).headers['upload-offset']]).toEqual([413, '6'])
    request.destroy()
    expect(await offsetOf(url)).toBe('6')
  })

  test('T-063 a client that vanishes at the end has its bytes stored', async () => {
    const at = await site()
    const url = await createUpload(at)
    const socket = connect(at.port, '127.0.0.1')
    socket.on('error', () => {})
    const top = patchHead(url, { 'upload-offset': '0', 'transfer-encoding': 'chunked' })
    socket.end(`${top}b\r\nhello world\r\n`)
    await untilOffset(url, 11)
    expect(await download(url)).toBe('hello world')
  })

  test('T-064 a complete upload takes an empty chunk and refuses any byte', async () => {
    for (const hooks of [{}, { preFinish: () => {} }]) {
      const url = await createUpload(await site({ hooks }))
      await patch(url, 0, 'hello world')
      for (const headers of [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
        const empty = await patch(url, 11, '', headers)
        expect([empty.status, empty.headers['upload-offset']]).toEqual([204, '11'])
      }
      for (const headers of [{ 'content-length': '1' }, { 'transfer-encoding': 'chunked' }]) {
        const more = await patch(url, 11, '!', headers)
        expect([more.status, more.headers['upload-offset']]).toEqual([413, '11'])
      }
      expect(await download(url)).toBe('hello world')
    }
  })

  test('T-066 of two chunks at one offset at once one is stored', async () => {
    const url = await createUpload(await site(), { 'upload-length': '200000' })
    const texts = ['a', 'b'].map((letter) => letter.repeat(200_000))
    const results = await Promise.all(
      texts.map((text) =>
        patch(url, 0, text).then(
          ({ status }) => status,
          (error: NodeJS.ErrnoException) => error.code,
        ),
      ),
    )
    const stored = Number(await offsetOf(url))
    for (const result of results) expect(result).toBeOneOf([204, 409, 423, 'ECONNRESET', 'EPIPE'])
    expect(results.filter((result) => result === 204).length).toBeLessThan(2)
    if (stored < 200_000) expect(results).not.toContain(204)
    // Whose chunk is stored, if only in part, shows when the rest is another letter.
    if (stored < 200_000) await patch(url, stored, 'c'.repeat(200_000 - stored))
    expect(await download(url)).toMatch(stored < 200_000 ? /^(a*|b*)c+$/ : /^(a+|b+)$/)
  })

  test('T-066 the later of two takes over, after what the earlier one brought', async () => {
    const url = await createUpload(await site())
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    await untilOffset(url, 5)
    const late = await patch(url, 0, 'HELLO')
    expect([late.status, late.headers['upload-offset']]).toEqual([409, '5'])
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-067 a Content-Encoding is not decoded', async () => {
    const data = gzipSync('hello world')
    const url = await createUpload(await site(), { 'upload-length': String(data.length) })
    const { status, headers } = await patch(url, 0, data, { 'content-encoding': 'gzip' })
    expect([status, headers['upload-offset']]).toEqual([204, String(data.length)])
    expect((await send({ method: 'GET', url })).body).toEqual(data)
  })
})

test.each(['', '-1', 'x', '1.0', undefined])(
  'T-052 Upload-Offset "%s" is answered 400',
  async (value) => {
    const url = await createUpload(await serve())
    const headers = { ...chunk, ...(value !== undefined && { 'upload-offset': value }) }
    const { status, text } = await send({ method: 'PATCH', url, headers, body: 'hello' })
    expect([status, text.split(':')[0]]).toEqual([400, 'ERR_INVALID_OFFSET'])
    expect(await offsetOf(url)).toBe('0')
  },
)

const otherTypes = [
  'application/octet-stream',
  'application/offset+octet-stream2',
  'application/offset octet-stream',
  'text/plain; a=application/offset+octet-stream',
  'multipart/form-data',
  '',
  undefined,
]

test.each(otherTypes)('T-053 the type "%s" is answered 415 and stores nothing', async (type) => {
  const url = await createUpload(await serve())
  const { 'content-type': _, ...headers } = chunk
  const { status, text } = await send({
    method: 'PATCH',
    url,
    headers: {
      ...headers,
      'upload-offset': '0',
      ...(type !== undefined && { 'content-type': type }),
    },
    body: 'hello',
  })
  expect([status, text.split(':')[0]]).toEqual([415, 'ERR_INVALID_CONTENT_TYPE'])
  expect(await offsetOf(url)).toBe('0')
})

test.each([
  'Application/Offset+Octet-Stream',
  'application/offset+octet-stream; charset=utf-8',
  'application/offset+octet-stream;charset=utf-8',
  'APPLICATION/OFFSET+OCTET-STREAM ; a="b;c"',
])('T-054 the type "%s" is accepted', async (type) => {
  const url = await createUpload(await serve())
  expect((await patch(url, 0, 'hello', { 'content-type': type })).status).toBe(204)
})

test('T-055 an unknown upload is answered 404, a removed one 404 or 410', async () => {
  const site = await serve()
  const unknown = await patch(`${site.origin}/files/unknown`, 0, 'hello')
  expect([unknown.status, unknown.text.split(':')[0]]).toEqual([404, 'ERR_UPLOAD_NOT_FOUND'])
  const url = await createUpload(site)
  await remove(url)
  expect((await patch(url, 0, 'hello')).status).toBeOneOf([404, 410])
})

/** A fake for a medium that fails: stores four bytes of a chunk, then throws. */
class FailingStore implements DataStore {
  readonly #store = new MemoryStore()
  readonly maximumSize = Infinity
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

test('T-057 a chunk that is stored in part is answered with the offset of what is stored', async () => {
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
  'T-059 a body with %s that stalls is answered 503, the connection closed, the bytes kept',
  async (_, headers, body) => {
    const site = await serve({ stallTimeout: 20, stalledAfter: 60_000, logger: silent })
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

test('T-060 a chunked body is held to the maximum of an upload whose length is not known', async () => {
  const site = await serve({ maxSize: 10 })
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  const reply = await patch(url, 0, 'hello world', { 'transfer-encoding': 'chunked' })
  expect(reply.status).toBe(413)
  expect(await offsetOf(url)).toBe('0')
})

test('T-065 of several mistakes the first in the order is told', async () => {
  const site = await serve({ maxSize: 1_000 })
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  await patch(url, 0, 'hello')
  const partial = await createUpload(site, { 'upload-length': '0', 'upload-concat': 'partial' })
  const final = await createUpload(site, { 'upload-concat': `final;${new URL(partial).pathname}` })
  const missing = `${site.origin}/files/unknown`
  const creation = `${site.origin}/files`

  const mistakes = {
    version: { 'tus-resumable': '0.2.2' },
    type: { 'content-type': 'text/plain' },
    syntax: { 'upload-offset': 'x' },
    offset: { 'upload-offset': '3' },
    deferral: { 'upload-defer-length': '1' },
    length: { 'upload-length': 'x' },
    small: { 'upload-length': '4' },
    large: { 'upload-length': '1001' },
    size: { 'upload-length': '6' },
    checksum: { 'upload-checksum': 'sha2 x' },
    mismatch: { 'upload-checksum': `sha1 ${createHash('sha1').update('').digest('base64')}` },
  }
  type Mistake = keyof typeof mistakes
  const tell = async (to: string, ...made: Mistake[]) => {
    const headers = Object.assign({}, ...made.map((mistake) => mistakes[mistake]))
    return (await patch(to, 5, ' world', headers)).status
  }
  const { type, syntax, ...others } = mistakes
  const judged = Object.keys(others).filter((name) => name !== 'version' && name !== 'offset')
  const rest = [...judged, 'offset'] as Mistake[]
  expect(Object.keys({ type, syntax })).toEqual(['type', 'syntax'])

  expect(await tell(missing, 'version', 'type', 'syntax', ...rest)).toBe(412)
  expect(await tell(creation, 'version', 'type', 'syntax', ...rest)).toBe(412)
  expect(await tell(creation, 'type', 'syntax', ...rest)).toBe(405)
  expect(await tell(missing, 'type', 'syntax')).toBe(415)
  expect(await tell(missing, 'syntax')).toBe(400)
  for (const mistake of rest)
    expect([mistake, await tell(missing, mistake)]).toEqual([mistake, 404])
  for (const mistake of rest) expect([mistake, await tell(final, mistake)]).toEqual([mistake, 403])
  for (const mistake of rest) {
    expect([mistake, await tell(url, mistake, 'offset')]).toEqual([mistake, 409])
  }
  expect(await tell(url, 'deferral', 'checksum')).toBe(400)
  expect(await tell(url, 'length', 'checksum')).toBe(400)
  expect(await tell(url, 'small', 'checksum')).toBe(400)
  expect(await tell(url, 'large', 'checksum')).toBe(413)
  expect((await head(url)).headers).toMatchObject({
    'upload-offset': '5',
    'upload-defer-length': '1',
  })
  // The declaration stands, though the body is refused.
  expect(await tell(url, 'size', 'checksum')).toBe(413)
  expect((await head(url)).headers).toMatchObject({ 'upload-offset': '5', 'upload-length': '6' })
  const short = (headers: object) => patch(url, 5, '!', { ...headers })
  expect((await short(mistakes.checksum)).status).toBe(400)
  expect((await short(mistakes.mismatch)).status).toBe(460)
  expect((await short({})).status).toBe(204)
})

test('T-065 the offset is checked before the body is awaited', async () => {
  const url = await createUpload(await serve())
  const { request, reply } = openPatch(url, 3, { 'content-length': '5' })
  expect((await reply).status).toBe(409)
  request.destroy()
})

test('T-068 an application answers the PATCH that completes, and clients still find the offset', async () => {
  const url = await createUpload(
    await serve({
      hooks: {
        preFinish: () => ({
          response: {
            status: 200,
            headers: {
              'Content-Type': 'application/json',
              'Upload-Offset': '3',
              'Tus-Resumable': '0.0.0',
            },
            body: '{"file":1}',
          },
        }),
      },
    }),
  )
  const partly = await patch(url, 0, 'hello ')
  expect([partly.status, partly.text]).toEqual([204, ''])
  for (const body of ['world', '']) {
    const { status, headers, text } = await patch(url, 11 - body.length, body)
    expect([status, text]).toEqual([200, '{"file":1}'])
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'upload-offset': '11',
      'tus-resumable': '1.0.0',
    })
  }
})

test.each([199, 302, 400, 500])(
  'T-068 the status %i is no answer to a finished upload: that is a fault of the hook',
  async (status) => {
    const answers = [{ response: { status } }, {}]
    const hooks = { preFinish: () => answers.shift() }
    const url = await createUpload(await serve({ hooks, logger: silent }))
    const failed = await patch(url, 0, 'hello world')
    expect([failed.status, failed.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
    // Not recorded: the next request asks again.
    expect((await patch(url, 11, '')).status).toBe(204)
  },
)

test.each([
  ['T-061 an empty chunk', '', 204],
  ['T-057 a chunk of which nothing is left', 'hello', 500],
] as const)('%s that middleware has read before the handler', async (_, body, status) => {
  const logged: unknown[] = []
  const logger = { ...silent, error: (...entry: unknown[]) => void logged.push(entry) }
  const { handler } = await serve({ logger })
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'PATCH') await closing(request.resume())
    await handler(request, response)
  })
  const port = await listen(server)
  onTestFinished(() => server.stop())
  const url = await createUpload({ origin: `http://127.0.0.1:${port}` })
  expect((await patch(url, 0, body)).status).toBe(status)
  expect(await offsetOf(url)).toBe('0')
  expect(inspect(logged).includes('body parsers')).toBe(status === 500)
})

test('T-068 post-finish runs although the connection of a pipelined PATCH is gone', async () => {
  const gate = newGate()
  const finished = newGate()
  const site = await serve({
    hooks: {
      access: ({ action }) => (action === 'inspect' ? gate.pass() : undefined),
      postFinish: () => void finished.pass(),
    },
  })
  const url = await createUpload(site)
  const socket = connect(site.port, '127.0.0.1').resume()
  socket.on('error', () => {})
  const top = patchHead(url, { 'upload-offset': '0', 'content-length': '11' })
  socket.write(`${patchHead(url, {}).replace('PATCH', 'HEAD')}${top}hello world`)
  await gate.reached
  await until(
    () => send({ method: 'GET', url }),
    ({ status }) => status === 200,
  )
  socket.destroy()
  await finished.reached
  gate.open()
  expect((await head(url)).headers['upload-offset']).toBe('11')
})
