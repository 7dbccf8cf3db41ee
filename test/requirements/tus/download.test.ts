import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import type { OutgoingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { StoreComposer } from 'tuskit'
import {
  chunk,
  createUpload,
  fileComposer,
  head,
  memoryComposer,
  openPatch,
  patch,
  send,
  serve,
  temporaryDirectory,
  tus,
  until,
  type Site,
} from '../../support/serve.js'

const data = randomBytes(1_000_000)

const composers: readonly (readonly [string, () => Promise<StoreComposer>])[] = [
  ['memory', async () => memoryComposer()],
  ['files', async () => fileComposer(await temporaryDirectory())],
]

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

async function finished(
  site: Site,
  headers: OutgoingHttpHeaders = {},
  body: string | Buffer = data,
) {
  const reply = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...chunk, 'upload-length': Buffer.byteLength(body), ...headers },
    body,
  })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([
    201,
    `${Buffer.byteLength(body)}`,
  ])
  return site.origin + reply.headers.location
}

const get = (url: string, headers: OutgoingHttpHeaders = {}) =>
  send({ method: 'GET', url, headers })

describe.each(composers)('downloads from %s', (_name, composer) => {
  test('sends a finished upload, with its ETag and Last-Modified', async () => {
    const url = await finished(await serve({ composer: await composer() }))
    const reply = await get(url)
    expect(reply.status).toBe(200)
    expect(reply.body.equals(data)).toBe(true)
    expect(reply.headers).toMatchObject({
      'content-length': '1000000',
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'tus-resumable': '1.0.0',
    })
    expect(reply.headers.etag).toMatch(/^"[^"]+"$/)
    expect(Date.parse(reply.headers['last-modified']!)).toBeLessThanOrEqual(Date.now())
  })

  test.each([
    ['bytes=0-99', 0, 99],
    ['bytes=100-', 100, 999_999],
    ['bytes=-5', 999_995, 999_999],
    ['bytes=999999-2000000', 999_999, 999_999],
  ])('the range %s gets 206', async (range, start, end) => {
    const url = await finished(await serve({ composer: await composer() }))
    const reply = await get(url, { range })
    expect(reply.status).toBe(206)
    expect(reply.headers['content-range']).toBe(`bytes ${start}-${end}/1000000`)
    expect(reply.headers['content-length']).toBe(String(end - start + 1))
    expect(reply.body.equals(data.subarray(start, end + 1))).toBe(true)
  })

  test('a range beyond the end gets 416; several ranges get the whole content', async () => {
    const url = await finished(await serve({ composer: await composer() }))
    const beyond = await get(url, { range: 'bytes=1000000-' })
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */1000000'])
    const several = await get(url, { range: 'bytes=0-1,5-6' })
    expect(several.status).toBe(200)
    expect(several.body.equals(data)).toBe(true)
  })

  test('conditions get 304 or 412, or the whole content when If-Range does not match', async () => {
    const url = await finished(await serve({ composer: await composer() }))
    const { etag, 'last-modified': modified } = (await get(url)).headers
    const status = async (headers: OutgoingHttpHeaders) => (await get(url, headers)).status
    expect(await status({ 'if-none-match': etag! })).toBe(304)
    expect(await status({ 'if-none-match': '"other"' })).toBe(200)
    expect(await status({ 'if-modified-since': modified! })).toBe(304)
    expect(await status({ 'if-match': '"other"' })).toBe(412)
    expect(await status({ 'if-match': etag! })).toBe(200)
    const range = 'bytes=0-9'
    expect(await status({ range, 'if-range': etag! })).toBe(206)
    expect(await status({ range, 'if-range': modified! })).toBe(206)
    expect(await status({ range, 'if-range': '"other"' })).toBe(200)
  })

  test('sends an empty upload', async () => {
    const site = await serve({ composer: await composer() })
    const url = await createUpload(site, { 'upload-length': '0' })
    const reply = await get(url)
    expect([reply.status, reply.body.length, reply.headers['content-length']]).toEqual([
      200,
      0,
      '0',
    ])
  })

  test('refuses an unfinished upload, and does not interrupt its PATCH', async () => {
    const site = await serve({ composer: await composer() })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => head(url),
      ({ headers }) => headers['upload-offset'] === '5',
    )
    const early = await get(url)
    expect([early.status, early.text]).toEqual([
      409,
      expect.stringContaining('ERR_UPLOAD_NOT_FINISHED'),
    ])
    request.end('world')
    expect((await reply).status).toBe(204)
    expect((await get(url)).text).toBe('helloworld')
  })

  test('a client that disconnects after the last byte, or in the middle, does no harm', async () => {
    const site = await serve({ composer: await composer() })
    const url = await finished(site)
    const { pathname } = new URL(url)
    for (const stopAt of [1, 500_000, 1_000_000]) {
      for (let round = 0; round < 4; round++) {
        const socket = net.connect(site.port, '127.0.0.1')
        socket.write(`GET ${pathname} HTTP/1.1\r\nHost: a\r\n\r\n`)
        let received = 0
        for await (const piece of socket) {
          received += (piece as Buffer).length
          if (received >= stopAt) break
        }
        if (!socket.closed) await once(socket, 'close')
      }
    }
    expect((await get(url)).body.equals(data)).toBe(true)
  })

  test('serves concurrent GETs and HEADs of one upload', async () => {
    const url = await finished(await serve({ composer: await composer() }))
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? get(url) : head(url))),
    )
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200))
    expect(replies.every((reply, index) => index % 2 || reply.body.equals(data))).toBe(true)
  })
})

test('names are sent in ASCII and in UTF-8, and only a safe type is inline', async () => {
  const site = await serve()
  const headersOf = async (metadata: string) =>
    (await get(await finished(site, { 'upload-metadata': metadata }, 'x'))).headers
  const image = await headersOf(
    `filename ${base64('Grüße "1".png')},filetype ${base64('image/png')}`,
  )
  expect(image['content-type']).toBe('image/png')
  expect(image['content-disposition']).toBe(
    `inline; filename="Gr__e _1_.png"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%221%22.png`,
  )
  for (const type of ['text/html', 'image/svg+xml', 'application/pdf', 'text/javascript']) {
    const { 'content-disposition': disposition } = await headersOf(`filetype ${base64(type)}`)
    expect(disposition).toBe('attachment')
  }
  const hostile = await headersOf(
    `filename ${base64('../../a\r\nset-cookie: b')},filetype ${base64('x\r\ny: z')}`,
  )
  expect(hostile['set-cookie']).toBeUndefined()
  expect(hostile['content-type']).toBe('application/octet-stream')
})

test('HEAD of a finished upload remains a tus HEAD', async () => {
  const url = await finished(await serve(), {}, 'hello')
  const { status, headers } = await head(url)
  expect([status, headers['upload-offset'], headers.etag]).toEqual([200, '5', undefined])
})

test('GET gets 405 when downloads are disabled or no store offers them', async () => {
  const url = await finished(await serve({ disable: ['download'] }), {}, 'hello')
  const reply = await get(url)
  expect([reply.status, reply.headers.allow]).toEqual([405, 'HEAD, PATCH, DELETE, OPTIONS'])
})

test('a store may redirect the client', async () => {
  const composer = memoryComposer().useContentReader({
    read: async ({ id }) => ({ redirect: `https://cdn.example/${id}` }),
  })
  const url = await finished(await serve({ composer }), {}, 'hello')
  const reply = await get(url)
  expect(reply.status).toBe(307)
  expect(reply.headers.location).toMatch(/^https:\/\/cdn\.example\//)
})

test('an unknown upload gets 404, a removed one 404 or 410', async () => {
  const site = await serve()
  expect((await get(`${site.origin}/files/none`)).status).toBe(404)
  const url = await finished(site, {}, 'hello')
  await send({ method: 'DELETE', url, headers: tus })
  expect((await get(url)).status).toBeOneOf([404, 410])
})

test('a resumed upload is sent as one file', async () => {
  const site = await serve()
  const url = await createUpload(site, { 'upload-length': '11' })
  await patch(url, 0, 'hello ')
  await patch(url, 6, 'world')
  expect((await get(url)).text).toBe('hello world')
})

test('an unfinished upload that has expired gets 410', async () => {
  const site = await serve({ expiration: { after: 20 } })
  const url = await createUpload(site)
  const { status } = await until(
    () => get(url),
    (reply) => reply.status !== 409,
  )
  expect(status).toBe(410)
})
