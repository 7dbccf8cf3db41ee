import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { download, head, post, type Reply, sendRaw, serve } from '../../support/serve.js'
import { silent } from '../../support/silent.js'

test('T-086 Location is a path by default, regardless of Host and forwarded headers', async () => {
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

test('T-086 an absolute Location uses forwarded headers only with trustProxy', async () => {
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

test('T-086 an invalid Host never appears in a Location', async () => {
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

test('T-087 Location is sent although the bytes of the creation are refused', async () => {
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

test('T-087 Location is sent although a hook fails when the upload is finished', async () => {
  const outcomes = [() => Promise.reject(new Error('not now')), () => undefined]
  const site = await serve({ hooks: { preFinish: () => outcomes.shift()!() }, logger: silent })
  const reply = await post(site, { 'upload-length': '5' }, 'hello')
  expect(reply.status).toBe(500)
  const url = site.origin + reply.headers.location
  expect((await head(url)).headers['upload-offset']).toBe('5')
  expect(await download(url)).toBe('hello')
})
