import http from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler } from 'tuskit'
import { listen, memoryComposer, send, sendRaw, serve } from '../../support/serve.js'
import { draft9, draftOf, limitIn, problemIn, urlIn, versions } from './draft.js'

test.each(versions)(
  'R-010 OPTIONS of the creation URL returns the limits, version %s',
  async (version) => {
    const { origin } = await serve({ maxSize: 1000, expiration: { after: 60_000 } })
    const url = `${origin}/files`
    const { status, headers } = await send({
      method: 'OPTIONS',
      url,
      headers: draftOf(version).named,
    })
    expect(status).toBe(200)
    const key = version !== undefined && version <= 6 ? 'expires' : 'max-age'
    expect(headers['upload-limit']).toBe(`max-size=1000, ${key}=60`)
    // Clients of the other protocol get the limit too.
    expect(headers['tus-max-size']).toBe('1000')
  },
)

test.each(versions)(
  'R-010 without limits OPTIONS returns min-size=0, version %s',
  async (version) => {
    const { origin } = await serve()
    for (const url of [`${origin}/files`, `${origin}/files/`]) {
      const { headers } = await send({ method: 'OPTIONS', url, headers: draftOf(version).named })
      expect(headers['upload-limit']).toBe('min-size=0')
    }
  },
)

test('R-011 OPTIONS * gets 404 and no limits without a next handler', async () => {
  const { port } = await serve()
  const reply = await sendRaw(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(reply).toMatch(/^HTTP\/1\.1 404 /)
  expect(reply.toLowerCase()).not.toContain('upload-limit')
})

test('R-011 OPTIONS * is passed to the next handler', async () => {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
  const server = http.createServer((request, response) => {
    void handler(request, response, () => response.writeHead(299).end('next'))
  })
  const port = await listen(server)
  onTestFinished(() => void server.close())
  const reply = await sendRaw(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(reply).toMatch(/^HTTP\/1\.1 299 /)
})

test('R-012 the limits of an upload are those that OPTIONS returns', async () => {
  const site = await serve({ maxSize: 1000, maxAppendSize: 500, minAppendSize: 3 })
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  const reply = await draft9.create(site, '', draft9.more)
  expect(reply.headers['upload-limit']).toBe(headers['upload-limit'])
  const url = urlIn(reply, site)
  const state = await send({ method: 'HEAD', url })
  expect(state.headers['upload-limit']).toBe(headers['upload-limit'])
  // Sizes up to the limits are accepted.
  const long = await draft9.append(url, 0, 'x'.repeat(501), draft9.more)
  expect([long.status, problemIn(long).code]).toEqual([413, 'ERR_APPEND_TOO_LARGE'])
  expect((await draft9.append(url, 0, 'x'.repeat(500), draft9.more)).status).toBe(204)
  expect((await draft9.append(url, 500, 'x'.repeat(500), draft9.end)).status).toBe(201)
  const large = await draft9.create(site, '', { ...draft9.more, 'upload-length': '1001' })
  expect([large.status, problemIn(large).code]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
})

test('R-012 the details of a creation may change its limits', async () => {
  const site = await serve({
    maxSize: (_, upload) => (upload?.metadata.values.filetype === 'image/png' ? 10 : 1000),
  })
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(limitIn({ headers }, 'max-size')).toBe(1000)
  const image = await draft9.create(site, '', { ...draft9.more, 'content-type': 'image/png' })
  expect(limitIn(image, 'max-size')).toBe(10)
})

test.each(versions)(
  'R-013 OPTIONS ignores Upload-Complete and creates nothing, version %s',
  async (version) => {
    const draft = draftOf(version)
    let created = 0
    const { origin } = await serve({ hooks: { postCreate: () => void created++ } })
    const url = `${origin}/files`
    const plain = await send({ method: 'OPTIONS', url, headers: draft.named })
    for (const says of [draft.end, draft.more]) {
      const headers = { ...draft.named, ...says, 'content-length': '5' }
      const reply = await send({ method: 'OPTIONS', url, headers, body: 'hello' })
      expect(reply.status).toBe(200)
      const { date: _, connection: __, ...expected } = plain.headers
      expect(reply.headers).toMatchObject(expected)
      for (const name of ['location', 'upload-offset', 'upload-complete', 'upload-incomplete']) {
        expect(reply.headers).not.toHaveProperty(name)
      }
    }
    expect(created).toBe(0)
  },
)

test('R-014 OPTIONS of the creation URL returns the media type of appends', async () => {
  const { origin } = await serve()
  const { headers } = await send({ method: 'OPTIONS', url: `${origin}/files` })
  expect(headers['accept-patch']).toBe('application/partial-upload')
})

test('R-015 OPTIONS returns no limits where no draft upload can be created', async () => {
  const site = await serve()
  const url = urlIn(await draft9.create(site, '', draft9.more), site)
  const uploads = await send({ method: 'OPTIONS', url })
  expect(uploads.status).toBe(200)
  expect(uploads.headers).not.toHaveProperty('upload-limit')
  const closed = await serve({ disable: ['creation'] })
  const creations = await send({ method: 'OPTIONS', url: `${closed.origin}/files` })
  expect(creations.headers).not.toHaveProperty('upload-limit')
  const other = await serve({ disable: ['ietf-draft'] })
  const tusOnly = await send({ method: 'OPTIONS', url: `${other.origin}/files` })
  expect(tusOnly.headers).not.toHaveProperty('upload-limit')
  expect(tusOnly.headers).not.toHaveProperty('accept-patch')
})
