import type { HandlerOptions } from 'tuskit'
import { expect, test } from 'vitest'
import {
  createUpload,
  download,
  fileComposer,
  head,
  namesIn,
  post,
  type Reply,
  send,
  sendRaw,
  serve,
  temporaryDirectory,
  tus,
} from '../../support/serve.js'
import { silent } from '../../support/silent.js'

test('T-089 a POST to an upload gets 405 with Allow', async () => {
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
])('T-089 a POST to %s gets 404', async (path) => {
  const { port } = await serve()
  const text = await sendRaw(
    port,
    `POST ${path} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n` +
      'Connection: close\r\n\r\n',
  )
  expect(text).toMatch(/^HTTP\/1\.1 404 /)
})

const marks = [
  {},
  { 'tus-resumable': '1.0.0' },
  { 'tus-resumable': '0.2.2' },
  { 'upload-complete': '?1', 'upload-draft-interop-version': '8' },
  { 'upload-complete': '?0', 'upload-draft-interop-version': '99' },
  { 'content-type': 'application/partial-upload' },
  { 'content-type': 'application/offset+octet-stream' },
  { 'x-http-method-override': 'BREW' },
]

test.each(marks)("T-089 a URL that cannot be an upload's gets 404, with %o", async (headers) => {
  const { origin } = await serve()
  for (const path of ['/files/a/b', '/files/a%2Fb', '/files//', '/files/.a', '/other']) {
    for (const method of ['HEAD', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      const reply = await send({ method, url: origin + path, headers })
      expect([method, path, reply.status]).toEqual([method, path, 404])
    }
  }
})

test('T-089 the creation URL accepts only POST and OPTIONS', async () => {
  const site = await serve()
  for (const method of ['GET', 'HEAD', 'PATCH', 'DELETE', 'PUT']) {
    const reply = await send({ method, url: `${site.origin}/files`, headers: tus })
    expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'POST, OPTIONS'])
  }
})

test('T-089 without creation the creation URL accepts only OPTIONS', async () => {
  const reply = await post(await serve({ disable: ['creation'] }), { 'upload-length': '5' })
  expect([reply.status, reply.headers.allow]).toEqual([405, 'OPTIONS'])
})

test('T-090 ids have 122 random bits and no character with a meaning in URLs or paths', async () => {
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
  ...['a%00', '%00', '%', '%zz', '%c3', 'a%2f', 'a%5c..%5cb', '~%2f', '.', '%2e', 'a'.repeat(201)],
]

test.each(outside)('T-090 /files/%s is not an upload', async (path) => {
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

/** Sends a request to a server with a file store. Returns the response and the files it left. */
async function inDirectory(
  options: Partial<HandlerOptions>,
  ask: (site: Awaited<ReturnType<typeof serve>>) => Promise<Reply>,
): Promise<readonly [Reply, string[]]> {
  const directory = await temporaryDirectory()
  const reply = await ask(await serve({ composer: fileComposer(directory), ...options }))
  return [reply, await namesIn(directory)]
}

test.each(['../x', '.x', 'a/b', '', 'a b', 'a\u0000', '\u00e9', 'x'.repeat(201)])(
  'T-090 the id "%s" from an application is refused',
  async (id) => {
    const [reply, files] = await inDirectory({ generateId: () => id, logger: silent }, (site) =>
      post(site, { 'upload-length': '5' }),
    )
    expect([reply.status, reply.text.split(':')[0]]).toEqual([422, 'ERR_INVALID_UPLOAD_ID'])
    expect([reply.headers.location, files]).toEqual([undefined, []])
  },
)

test('T-090 an encoded letter in the URL of an upload means the letter', async () => {
  const site = await serve({ generateId: () => 'report-1' })
  await createUpload(site)
  expect((await head(`${site.origin}/files/%72eport-1`)).status).toBe(200)
  const again = await post(site, { 'upload-length': '5' })
  expect([again.status, again.text.split(':')[0]]).toEqual([422, 'ERR_ID_TAKEN'])
})

test('T-090 the longest id, with each character that an id can have, works wherever it is sent', async () => {
  const id = `+${'azAZ09-._~+'.repeat(20)}`.slice(0, 200)
  const ids = [id, 'final+']
  const composer = fileComposer(await temporaryDirectory())
  const site = await serve({ composer, generateId: () => ids.shift()! })
  const created = await post(site, { 'upload-length': 5, 'upload-concat': 'partial' }, 'hello')
  expect(created.headers.location).toBe(`/files/${id}`)
  const paths = [`/files/${id}`, `/files/${id.replaceAll('+', '%2B')}`]
  for (const path of paths) {
    const { status, headers } = await head(site.origin + path)
    expect([status, headers['upload-offset']]).toEqual([200, '5'])
  }
  const final = await post(site, { 'upload-concat': `final;${paths.join(' ')}` })
  expect([final.status, final.headers.location]).toEqual([201, '/files/final+'])
  expect(await download(`${site.origin}/files/final%2B`)).toBe('hellohello')
})
