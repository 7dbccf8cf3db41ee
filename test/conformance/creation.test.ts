import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import http from 'node:http'
import type { HandlerOptions } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createUpload,
  download,
  fileComposer,
  head,
  patch,
  post,
  send,
  sendRaw,
  serve,
  stores,
  temporaryDirectory,
  tus,
  until,
  type Reply,
} from '../serve.js'

const silent = { error() {}, warn() {}, info() {}, debug() {} }

describe.each(stores)('$store store', ({ compose }) => {
  test('T-080 a creation is answered 201 with a Location, and the offset is 0', async () => {
    const site = await serve({ composer: await compose() })
    for (const path of ['/files', '/files/', '/files?a=b']) {
      const created = await send({
        method: 'POST',
        url: site.origin + path,
        headers: { ...tus, 'upload-length': '100' },
      })
      expect([created.status, created.text]).toEqual([201, ''])
      expect(created.headers.location).toMatch(/^\/files\/[\w~-][\w.~-]*$/)
      expect(created.headers['upload-offset'] ?? '0').toBe('0')
      const { status, headers } = await head(site.origin + created.headers.location)
      expect([status, headers['upload-offset'], headers['upload-length']]).toEqual([
        200,
        '0',
        '100',
      ])
    }
  })

  test('T-085 an upload of no bytes is finished at once, and hooks run once', async () => {
    const events: string[] = []
    const note = ({ event }: { event: { type: string } }) => void events.push(event.type)
    const site = await serve({
      composer: await compose(),
      hooks: { postCreate: note, preFinish: note, postFinish: note },
    })
    const url = await createUpload(site, { 'upload-length': '0' })
    const expected = ['post-create', 'pre-finish', 'post-finish']
    await until(
      async () => events.length,
      (length) => length === expected.length,
    )
    const { headers } = await head(url)
    expect([headers['upload-offset'], headers['upload-length']]).toEqual(['0', '0'])
    expect((await patch(url, 0, '')).status).toBe(204)
    expect((await patch(url, 0, '!')).status).toBe(413)
    expect(await download(url)).toBe('')
    // Events come in order: what might still be on its way would precede those of the second upload.
    const withBytes = await post(site, { 'upload-length': '0' }, '')
    expect(withBytes.status).toBe(201)
    await until(
      async () => events.length,
      (length) => length >= 2 * expected.length,
    )
    expect(events).toEqual([...expected, ...expected])
  })

  test('T-085 an upload of no bytes needs no hooks to be finished', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '0' })
    expect(await download(url)).toBe('')
    const id = new URL(url).pathname.split('/').at(-1)!
    expect((await site.handler.uploads.inspect(id)).finished).toBe(true)
  })
})

/** Whether the stores hold nothing, not even after a refusal. */
async function inDirectory(
  options: Partial<HandlerOptions>,
  ask: (site: Awaited<ReturnType<typeof serve>>) => Promise<Reply>,
): Promise<readonly [Reply, string[]]> {
  const directory = await temporaryDirectory()
  const reply = await ask(await serve({ composer: fileComposer(directory), ...options }))
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return [reply, entries.filter((entry) => entry.isFile()).map(({ name }) => name)]
}

test('T-081 a creation without a length is answered 400', async () => {
  const [reply, files] = await inDirectory({}, (site) => post(site, {}))
  expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_MISSING_LENGTH'])
  expect([reply.headers.location, files]).toEqual([undefined, []])
  expect((await post(await serve(), { 'upload-concat': 'partial' })).status).toBe(400)
})

test('T-082 both lengths are answered 400', async () => {
  const both = { 'upload-length': '5', 'upload-defer-length': '1' }
  const [reply, files] = await inDirectory({}, (site) => post(site, both))
  expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_AMBIGUOUS_LENGTH'])
  expect([reply.headers.location, files]).toEqual([undefined, []])
})

test.each(['0', 'true', '', '2', '01', '1.0', '1 1', '-1', ['1', '1']])(
  'T-083 Upload-Defer-Length "%s" is answered 400, with a length or without',
  async (value) => {
    const site = await serve()
    for (const length of [{}, { 'upload-length': '5' }]) {
      const reply = await post(site, { 'upload-defer-length': value, ...length })
      expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_DEFER_LENGTH'])
      expect(reply.headers.location).toBeUndefined()
    }
  },
)

test('T-084 more than the maximum is answered 413, exactly as much is accepted', async () => {
  const limits: HandlerOptions['maxSize'][] = [10, () => 10, async () => 10]
  for (const maxSize of limits) {
    const options = { maxSize: maxSize! }
    const [reply, files] = await inDirectory(options, (site) =>
      post(site, { 'upload-length': '11' }),
    )
    expect([reply.status, reply.text.split(':')[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
    expect([reply.headers.location, files]).toEqual([undefined, []])
    expect((await post(await serve(options), { 'upload-length': '10' })).status).toBe(201)
  }
})

test('T-084 the maximum holds for creations with bytes, before the bytes', async () => {
  const site = await serve({ maxSize: 10 })
  for (const headers of [{ 'upload-length': '11' }, { 'upload-defer-length': '1' }]) {
    expect((await post(site, headers, 'hello world')).status).toBe(413)
  }
})

test('T-086 Location is a path by default, whatever Host and proxies say', async () => {
  const site = await serve()
  const { headers } = await post(site, {
    'upload-length': '5',
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-prefix': '/evil',
    forwarded: 'host=evil.example;proto=https',
  })
  expect(headers.location).toMatch(/^\/files\/[\w~-]+$/)
})

test('T-086 an absolute Location believes proxies only when told to', async () => {
  const forwarded = { 'x-forwarded-host': 'example.org', 'x-forwarded-proto': 'https' }
  const untrusting = await serve({ location: 'absolute' })
  const plain = await post(untrusting, { 'upload-length': '5', ...forwarded })
  expect(plain.headers.location).toMatch(`${untrusting.origin}/files/`)
  const trusting = await serve({ location: 'absolute', trustProxy: true })
  const behind = await post(trusting, { 'upload-length': '5', ...forwarded })
  expect(behind.headers.location).toMatch(/^https:\/\/example\.org\/files\/[\w~-]+$/)
})

test('T-086 a configured Location ignores the request', async () => {
  const site = await serve({ location: 'https://cdn.example/up' })
  const { headers } = await post(site, { 'upload-length': '5', host: 'evil.example' })
  expect(headers.location).toMatch(/^https:\/\/cdn\.example\/up\/[\w~-]+$/)
})

test('T-086 a Host that is none does not end up in a Location', async () => {
  const { port } = await serve({ location: 'absolute' })
  for (const host of ['', 'a b', 'evil.example/x', 'a@evil.example', 'a"b']) {
    const text = await sendRaw(
      port,
      `POST /files HTTP/1.1\r\nHost: ${host}\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n` +
        'Connection: close\r\n\r\n',
    )
    expect(text).toMatch(/^HTTP\/1\.1 201 /)
    expect(/\r\nlocation: *([^\r]*)/i.exec(text)?.[1]).toMatch(/^\/files\/[\w~-]+$/)
  }
})

test('T-087 Location is told although the bytes of the creation are refused', async () => {
  const site = await serve({ logger: silent })
  const digest = createHash('sha1').update('other').digest('base64')
  const failures: [number, Promise<Reply>][] = [
    [413, post(site, { 'upload-length': '4' }, 'hello')],
    [413, post(site, { 'upload-length': '4', 'transfer-encoding': 'chunked' }, 'hello')],
    [460, post(site, { 'upload-length': '5', 'upload-checksum': `sha1 ${digest}` }, 'hello')],
  ]
  for (const [status, failure] of failures) {
    const reply = await failure
    expect(reply.status).toBe(status)
    expect((await head(site.origin + reply.headers.location)).headers['upload-offset']).toBe('0')
  }
})

test('T-087 Location is told although a hook fails when the upload is finished', async () => {
  const verdicts = [() => Promise.reject(new Error('not now')), () => undefined]
  const site = await serve({ hooks: { preFinish: () => verdicts.shift()!() }, logger: silent })
  const reply = await post(site, { 'upload-length': '5' }, 'hello')
  expect(reply.status).toBe(500)
  const url = site.origin + reply.headers.location
  expect((await head(url)).headers['upload-offset']).toBe('5')
  expect(await download(url)).toBe('hello')
})

test('T-088 a pre-create hook refuses by metadata, and then nothing exists', async () => {
  const created: string[] = []
  const hooks: HandlerOptions['hooks'] = {
    preCreate: ({ upload }) => {
      created.push(upload.id)
      const { type } = upload.metadata.values
      if (type !== 'image/png') return { reject: { status: 415, body: `no ${type}` } }
    },
    postCreate: () => void created.push('post-create'),
  }
  const text = Buffer.from('text/plain').toString('base64')
  const [reply, files] = await inDirectory({ hooks }, (site) =>
    post(site, { 'upload-length': '5', 'upload-metadata': `type ${text}` }, 'hello'),
  )
  expect([reply.status, reply.text]).toEqual([415, 'no text/plain'])
  expect([reply.headers.location, files]).toEqual([undefined, []])
  expect(created).toHaveLength(1)
  const site = await serve({ hooks: { preCreate: () => ({ reject: true }) } })
  const plain = await post(site, { 'upload-length': '5' })
  expect([plain.status, plain.text.split(':')[0]]).toEqual([400, 'ERR_REJECTED'])
})

test('T-089 a POST to an upload is answered 405 with Allow', async () => {
  const site = await serve()
  const url = await createUpload(site)
  for (const each of [url, `${site.origin}/files/unknown`]) {
    const reply = await send({
      method: 'POST',
      url: each,
      headers: { ...tus, 'upload-length': '5' },
    })
    expect([reply.status, reply.headers.allow]).toEqual([405, 'HEAD, PATCH, GET, DELETE, OPTIONS'])
  }
})

test.each([
  '/files/a/b',
  '/files//',
  '/files/.hidden',
  '/files/a%2Fb',
  '/files/a%20b',
  '/filesystem',
])('T-089 a POST to %s is answered 404', async (path) => {
  const { port } = await serve()
  const text = await sendRaw(
    port,
    `POST ${path} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n` +
      'Connection: close\r\n\r\n',
  )
  expect(text).toMatch(/^HTTP\/1\.1 404 /)
})

test('T-089 the creation URL answers to POST and OPTIONS only', async () => {
  const site = await serve()
  for (const method of ['GET', 'HEAD', 'PATCH', 'DELETE', 'PUT']) {
    const reply = await send({ method, url: `${site.origin}/files`, headers: tus })
    expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'POST, OPTIONS'])
  }
})

test('T-089 without creation the creation URL answers to OPTIONS only', async () => {
  const reply = await post(await serve({ disable: ['creation'] }), { 'upload-length': '5' })
  expect([reply.status, reply.headers.allow]).toEqual([405, 'OPTIONS'])
})

test('T-090 ids have 128 random bits and no character that URLs or paths give a meaning', async () => {
  const site = await serve()
  const ids = new Set<string>()
  for (let i = 0; i < 100; i++) {
    const id = new URL(await createUpload(site)).pathname.slice('/files/'.length)
    expect(id).toMatch(/^[\w-]{22,}$/)
    ids.add(id)
  }
  expect(ids.size).toBe(100)
})

const outside = [
  ...['..', '%2e%2e', '%2e%2e%2f', '..%2f..%2fetc%2fpasswd', '%2e%2e/secret', '../secret'],
  ...['a%00', '%00', '%', '%zz', '%c3', 'a%2f', 'a%5c..%5cb', '~%2f', '.', '%2e', 'a'.repeat(129)],
]

test.each(outside)('T-090 /files/%s is no upload', async (path) => {
  const directory = await temporaryDirectory()
  const { port } = await serve({ composer: fileComposer(directory) })
  for (const method of ['HEAD', 'PATCH', 'DELETE', 'GET']) {
    const text = await sendRaw(
      port,
      `${method} /files/${path} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
        'Content-Type: application/offset+octet-stream\r\nConnection: close\r\n\r\n',
    )
    expect([method, text.slice(0, 12)]).toEqual([method, 'HTTP/1.1 404'])
  }
})

test.each(['../x', '.x', 'a/b', '', 'a b', 'a\u0000', '\u00e9', 'x'.repeat(129)])(
  'T-090 the id "%s" of an application is refused',
  async (id) => {
    const [reply, files] = await inDirectory({ generateId: () => id, logger: silent }, (site) =>
      post(site, { 'upload-length': '5' }),
    )
    expect([reply.status, reply.text.split(':')[0]]).toEqual([500, 'ERR_INVALID_UPLOAD_ID'])
    expect([reply.headers.location, files]).toEqual([undefined, []])
  },
)

test('T-090 an encoded letter in the URL of an upload means the letter', async () => {
  const site = await serve({ generateId: () => 'report-1' })
  await createUpload(site)
  expect((await head(`${site.origin}/files/%72eport-1`)).status).toBe(200)
  const again = await post(site, { 'upload-length': '5' })
  expect([again.status, again.text.split(':')[0]]).toEqual([409, 'ERR_ID_TAKEN'])
})

test('T-080 a handler in a plain http server creates uploads too', async () => {
  const { handler } = await serve()
  const server = http.createServer(handler)
  server.requestTimeout = 0
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const reply = await send({
    method: 'POST',
    url: `http://127.0.0.1:${port}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  expect(reply.status).toBe(201)
})
