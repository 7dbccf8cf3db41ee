import { describe, expect, test } from 'vitest'
import {
  chunk,
  download,
  head,
  openRequest,
  patch,
  post,
  send,
  sendRaw,
  serve,
  stores,
  tus,
  untilOffset,
  type Reply,
  type Site,
} from '../../support/serve.js'

function locationOf({ origin }: Site, { headers }: Reply): string {
  return new URL(headers.location!, origin).href
}

describe.each(stores)('a creation with bytes ($store store)', ({ compose }) => {
  test('T-110 returns the URL of the upload and how much of it is stored', async () => {
    const site = await serve({ composer: await compose() })
    for (const body of ['hello', Buffer.alloc(0)]) {
      const reply = await post(site, { 'upload-length': '11' }, body)
      expect(reply.status).toBe(201)
      expect(reply.headers['upload-offset']).toBe(String(body.length))
      const url = locationOf(site, reply)
      expect((await head(url)).headers['upload-offset']).toBe(String(body.length))
      expect((await patch(url, body.length, 'hello world'.slice(body.length))).status).toBe(204)
      expect(await download(url)).toBe('hello world')
    }
  })

  test('T-110 accepts a chunked body', async () => {
    const site = await serve({ composer: await compose() })
    const reply = await post(
      site,
      { 'upload-length': '11', 'transfer-encoding': 'chunked' },
      'hello',
    )
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
  })

  test('T-114 a whole file finishes the upload with 201, and hooks run once', async () => {
    const events: string[] = []
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish: ({ event }) => void events.push(event.type),
        postFinish: ({ event }) => void events.push(event.type),
      },
    })
    const reply = await post(site, { 'upload-length': '11' }, 'hello world')
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '11'])
    const url = locationOf(site, reply)
    expect((await patch(url, 11, '')).status).toBe(204)
    expect((await head(url)).headers['upload-offset']).toBe('11')
    expect(await download(url)).toBe('hello world')
    await site.server.stop()
    expect(events).toEqual(['pre-finish', 'post-finish'])
  })

  test('T-115 the length may be deferred', async () => {
    const site = await serve({ composer: await compose() })
    const reply = await post(site, { 'upload-defer-length': '1' }, 'hello')
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
    const url = locationOf(site, reply)
    expect((await head(url)).headers['upload-defer-length']).toBe('1')
    expect((await patch(url, 5, ' world', { 'upload-length': '11' })).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-115 the upload may be partial', async () => {
    const site = await serve({ composer: await compose() })
    const partial = { 'upload-length': '5', 'upload-concat': 'partial' }
    const reply = await post(site, partial, 'hello')
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
    expect((await head(locationOf(site, reply))).headers['upload-concat']).toBe('partial')
  })

  test('T-111 T-117 keeps the bytes that arrived before the client vanished', async () => {
    const site = await serve({
      composer: await compose(),
      generateId: () => 'known',
      takeoverAfter: 60_000,
    })
    const { request } = openRequest({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, 'upload-length': '11', 'content-length': '11' },
      body: 'hello',
    })
    const url = `${site.origin}/files/known`
    await untilOffset(url, 5)
    request.destroy()
    expect((await head(url)).headers['upload-offset']).toBe('5')
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-111 verifies a checksum', async () => {
    const site = await serve({ composer: await compose() })
    const digest = 'Kq5sNclPz7QV2+lfQIuc6R7oRu0='
    const headers = { 'upload-length': '11', 'upload-checksum': `sha1 ${digest}` }
    const right = await post(site, headers, 'hello world')
    expect([right.status, right.headers['upload-offset']]).toEqual([201, '11'])
    const wrong = await post(site, headers, 'hello World')
    expect([wrong.status, wrong.headers['upload-offset']]).toEqual([460, '0'])
  })
})

test('T-111 a body longer than the length gets 413', async () => {
  const site = await serve({ takeoverAfter: 60_000 })
  for (const framing of [{}, { 'transfer-encoding': 'chunked' }]) {
    const reply = await post(site, { 'upload-length': '5', ...framing }, 'hello world')
    expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([413, 'ERR_LENGTH_EXCEEDED'])
    expect(reply.headers['upload-offset'] ?? '0').toBe('0')
    if (reply.headers.location === undefined) continue
    expect((await head(locationOf(site, reply))).headers['upload-offset']).toBe('0')
  }
})

test('T-111 a deferred length does not bypass the maximum', async () => {
  const site = await serve({ maxSize: 5 })
  for (const framing of [{}, { 'transfer-encoding': 'chunked' }]) {
    const reply = await post(site, { 'upload-defer-length': '1', ...framing }, 'hello world')
    expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
  }
})

test('T-112 a creation without a body reports no offset, or 0 for an empty upload', async () => {
  const site = await serve()
  const reply = await post(site, { 'upload-length': '11' })
  expect(reply.status).toBe(201)
  expect(reply.headers['upload-offset'] ?? '0').toBe('0')
})

test('T-113 a body of another type is ignored', async () => {
  const site = await serve()
  for (const type of ['text/plain', 'application/octet-stream', 'multipart/form-data']) {
    const headers = { 'upload-length': '11', 'content-type': type }
    const reply = await post(site, headers, 'hello world')
    expect(reply.status).toBe(201)
    expect(reply.headers).not.toHaveProperty('upload-offset')
    const url = locationOf(site, reply)
    expect((await head(url)).headers['upload-offset']).toBe('0')
    expect((await patch(url, 0, 'HELLO WORLD')).status).toBe(204)
    expect(await download(url)).toBe('HELLO WORLD')
  }
})

test('T-110 bytes are refused when the extension is disabled', async () => {
  const site = await serve({ disable: ['creation-with-upload'] })
  const reply = await post(site, { 'upload-length': '11' }, 'hello')
  expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([400, 'ERR_EXTENSION_DISABLED'])
  expect(reply.headers).not.toHaveProperty('location')
  const options = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(options.headers['tus-extension']).not.toContain('creation-with-upload')
  expect((await post(site, { 'upload-length': '11' })).status).toBe(201)
})

describe('Expect: 100-continue', () => {
  const head100 = (headers: Record<string, string>, path = '/files', method = 'POST') =>
    [
      `${method} ${path} HTTP/1.1`,
      'Host: localhost',
      'Connection: close',
      'Expect: 100-continue',
      'Content-Type: application/offset+octet-stream',
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      '\r\n',
    ].join('\r\n')

  test('T-116 a refused request gets its response and no 100', async () => {
    const site = await serve({ maxSize: 100, hooks: { preCreate: refuseMarked } })
    const right = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '11', 'Content-Length': '11' }
    const refused: readonly (readonly [number, Record<string, string>])[] = [
      [412, { ...right, 'Tus-Resumable': '0.2.2' }],
      [413, { ...right, 'Upload-Length': '101' }],
      [413, { ...right, 'Content-Length': '12' }],
      [400, { ...right, 'Upload-Length': '-1' }],
      [400, { ...right, 'Upload-Checksum': 'rot13 eA==' }],
      [403, { ...right, 'Upload-Metadata': 'refuse' }],
    ]
    for (const [status, headers] of refused) {
      const response = await sendRaw(site.port, head100(headers))
      expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(response).not.toContain('100 Continue')
    }
    const missing = { ...right, 'Upload-Offset': '0' }
    const response = await sendRaw(site.port, head100(missing, '/files/nothing', 'PATCH'))
    expect(response).toMatch(/^HTTP\/1\.1 404 /)
  })

  test('T-116 an accepted request gets 100 first', async () => {
    const site = await serve()
    const { request, reply } = openRequest({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, 'upload-length': '11', 'content-length': '11', expect: '100-continue' },
    })
    await new Promise<void>((resolve) => request.once('continue', resolve))
    request.end('hello world')
    expect(await reply).toMatchObject({ status: 201, headers: { 'upload-offset': '11' } })
  })

  function refuseMarked({ upload }: { upload: { metadata: { raw: string } } }) {
    return upload.metadata.raw === 'refuse' ? { reject: { status: 403 } } : undefined
  }
})

test('T-116 a creation without a body may expect 100-continue too', async () => {
  const site = await serve()
  const reply = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...tus, 'upload-length': '11', expect: '100-continue' },
  })
  expect(reply.status).toBe(201)
})
