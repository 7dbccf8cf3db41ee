import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { createUploadServer, type HandlerOptions } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  chunk,
  createUpload,
  download,
  listen,
  patch,
  remove,
  send,
  sendRaw,
  serve,
  type Site,
  stores,
  offsetOf,
} from '../../support/serve.js'
import { patchHead } from './raw-patch.js'
import { silent } from '../../support/silent.js'

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), takeoverAfter: 60_000, logger: silent, ...options })
  }

  test('T-050 a chunk at the offset gets 204 with the new offset and nothing else', async () => {
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
    'T-051 the wrong offset %i gets 409 with the right one and stores nothing',
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

  test('T-051 a refused chunk keeps the connection open, and its body never becomes a request', async () => {
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

  test('T-061 an empty chunk changes nothing', async () => {
    const url = await createUpload(await site())
    await patch(url, 0, 'hello')
    for (const headers of [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
      const reply = await patch(url, 5, '', headers)
      expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '5'])
    }
    expect(await offsetOf(url)).toBe('5')
  })

  test('T-067 a body with Content-Encoding is not decoded', async () => {
    const data = gzipSync('hello world')
    const url = await createUpload(await site(), { 'upload-length': String(data.length) })
    const { status, headers } = await patch(url, 0, data, { 'content-encoding': 'gzip' })
    expect([status, headers['upload-offset']]).toEqual([204, String(data.length)])
    expect((await send({ method: 'GET', url })).body).toEqual(data)
  })
})

test.each(['', '-1', 'x', '1.0', undefined])('T-052 Upload-Offset "%s" gets 400', async (value) => {
  const url = await createUpload(await serve())
  const headers = { ...chunk, ...(value !== undefined && { 'upload-offset': value }) }
  const { status, text } = await send({ method: 'PATCH', url, headers, body: 'hello' })
  expect([status, text.split(':')[0]]).toEqual([400, 'ERR_INVALID_OFFSET'])
  expect(await offsetOf(url)).toBe('0')
})

const otherTypes = [
  'application/octet-stream',
  'application/offset+octet-stream2',
  'application/offset octet-stream',
  'text/plain; a=application/offset+octet-stream',
  'multipart/form-data',
  '',
  undefined,
]

test.each(otherTypes)('T-053 the type "%s" gets 415 and stores nothing', async (type) => {
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

test('T-055 an unknown upload gets 404, a removed one 404 or 410', async () => {
  const site = await serve()
  const unknown = await patch(`${site.origin}/files/unknown`, 0, 'hello')
  expect([unknown.status, unknown.text.split(':')[0]]).toEqual([404, 'ERR_UPLOAD_NOT_FOUND'])
  const url = await createUpload(site)
  await remove(url)
  expect((await patch(url, 0, 'hello')).status).toBeOneOf([404, 410])
})

/** Resolves when the request has ended or its client is gone. */
function closing(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.closed) resolve()
    else request.once('close', resolve)
  })
}

test.each([
  ['T-061 accepts an empty chunk', '', 204],
  ['T-057 refuses a chunk of which nothing is left', 'hello', 500],
] as const)('%s after middleware has read the body', async (_, body, status) => {
  const logged: unknown[] = []
  const logger = { ...silent, error: (...entry: unknown[]) => void logged.push(entry) }
  const { handler } = await serve({ logger })
  const server = createUploadServer(async (request: IncomingMessage, response: ServerResponse) => {
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
