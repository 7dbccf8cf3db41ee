import type { OutgoingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import { TusError, type HandlerOptions } from 'tuskit'
import {
  createUpload,
  head,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  tus,
} from '../../support/serve.js'
import { silent } from '../../support/silent.js'

const download = 'private, no-cache, no-transform'

const get = (url: string, headers: OutgoingHttpHeaders = {}) =>
  send({ method: 'GET', url, headers })

test('T-012 no cache may keep the response to a failure of the application', async () => {
  const fail = () => {
    throw new Error('broken')
  }
  const site = await serve({ cors: { origins: fail }, logger: silent })
  const broken = await get(`${site.origin}/files/a`, { origin: 'https://example.org' })
  expect([broken.status, broken.headers['cache-control']]).toEqual([500, 'no-store'])
})

test('T-012 no cache may keep a response of the protocol, whatever hooks return', async () => {
  const headers = { 'Cache-Control': 'max-age=60' }
  const site = await serve({
    hooks: {
      access({ request }) {
        if (request?.headers['x-reason'] === 'refused') return { reject: { headers } }
      },
      preFinish: () => ({ response: { headers } }),
    },
    logger: silent,
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const draft = { 'upload-complete': '?1', 'content-type': 'text/plain' }
  const replies = [
    await send({ method: 'OPTIONS', url: `${site.origin}/files` }),
    await get(url),
    await patch(url, 3, 'lo'),
    await patch(url, 0, 'hello'),
    await patch(url, 5, ''),
    await get(url, { 'x-reason': 'refused' }),
    await get(url, { range: 'bytes=5-' }),
    await get(url, { 'if-match': '"other"' }),
    await post(site, { 'upload-length': '5' }, 'hello'),
    await send({ method: 'POST', url: `${site.origin}/files`, headers: draft, body: 'hello' }),
    await send({ method: 'PUT', url, headers: tus }),
    await remove(url),
    await get(`${site.origin}/files/unknown`),
    await get(`${site.origin}/elsewhere`),
  ]
  const statuses = replies.map(({ status }) => status)
  expect(statuses).toEqual([200, 409, 409, 204, 204, 403, 416, 412, 201, 201, 405, 204, 404, 404])
  for (const reply of replies) expect(reply.headers['cache-control']).toBe('no-store')
})

test('T-183 only the client may keep a download, and no proxy may change it', async () => {
  const site = await serve()
  for (const headers of [{ ...tus, 'upload-length': '5' }, { 'upload-complete': '?1' }]) {
    const created = await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { 'content-type': 'application/offset+octet-stream', ...headers },
      body: 'hello',
    })
    const url = new URL(created.headers.location!, site.origin).href
    const whole = await get(url)
    const replies = [
      whole,
      await get(url, { range: 'bytes=1-3' }),
      await get(url, { 'if-none-match': whole.headers.etag }),
    ]
    expect(replies.map(({ status }) => status)).toEqual([200, 206, 304])
    for (const reply of replies) expect(reply.headers['cache-control']).toBe(download)
  }
})

describe.each(stores)('GET with Tus-Resumable, $store store', ({ compose }) => {
  test('T-042 reports the same as HEAD, without content until the upload is finished', async () => {
    const site = await serve({ composer: await compose(), expiration: { after: 100_000 } })
    const creations = [
      { 'upload-length': '11', 'upload-metadata': 'filename aGVsbG8udHh0' },
      { 'upload-defer-length': '1' },
      { 'upload-length': '11', 'upload-concat': 'partial' },
    ]
    for (const creation of creations) {
      const url = await createUpload(site, creation)
      await patch(url, 0, 'hello')
      const asked = await head(url)
      const reply = await get(url, tus)
      expect([reply.status, reply.text]).toEqual([204, ''])
      expect(stateOf(reply.headers)).toEqual(stateOf(asked.headers))
      expect(reply.headers['cache-control']).toBe('no-store')
      expect(reply.headers).not.toHaveProperty('content-length')
    }
  })

  test('T-042 reports the same as HEAD together with the content, also of a range', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5', 'upload-metadata': 'a YQ==' })
    await patch(url, 0, 'hello')
    const asked = await head(url)
    const whole = await get(url, tus)
    const range = await get(url, { ...tus, range: 'bytes=1-3' })
    const same = await get(url, { ...tus, 'if-none-match': whole.headers.etag })
    expect([whole, range, same].map(({ status, text }) => [status, text])).toEqual([
      [200, 'hello'],
      [206, 'ell'],
      [304, ''],
    ])
    for (const { headers } of [whole, range, same]) {
      expect(stateOf(headers)).toEqual(stateOf(asked.headers))
    }
  })
})

/** The headers that describe the upload. */
function stateOf(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const ofState = ([name]: [string, unknown]) => /^(upload|tus)-/.test(name)
  return Object.fromEntries(Object.entries(headers).filter(ofState))
}

test('T-042 GET reports no offset either while a final upload waits for its parts', async () => {
  const site = await serve()
  const partial = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
  const final = await createUpload(site, { 'upload-concat': `final;${partial}` })
  const reply = await get(final, tus)
  expect(reply.status).toBe(204)
  expect(stateOf(reply.headers)).toEqual(stateOf((await head(final)).headers))
})

test('T-042 GET reports the state without content to a client that may inspect but not read', async () => {
  const site = await serve({
    hooks: { access: ({ action }) => ({ reject: action === 'read' }) },
  })
  const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
  const url = site.origin + headers.location
  expect((await get(url)).status).toBe(403)
  const reply = await get(url, tus)
  expect([reply.status, reply.headers['upload-offset'], reply.text]).toEqual([204, '5', ''])
})

test('T-042 GET reports the state without content if the store redirects, or without downloads', async () => {
  const options = await optionsWithoutContent()
  for (const each of options) {
    const site = await serve(each)
    const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
    const reply = await get(site.origin + headers.location, tus)
    expect([reply.status, reply.headers['upload-offset'], reply.text]).toEqual([204, '5', ''])
    expect(reply.headers).not.toHaveProperty('location')
  }
})

async function optionsWithoutContent(): Promise<Partial<HandlerOptions>[]> {
  const composer = await stores[0]!.compose()
  const redirect = 'https://cdn.example/file'
  composer.useContentReader({ read: async () => ({ redirect }) })
  return [{ disable: ['download'] }, { composer }]
}

test('T-042 GET with Tus-Resumable fails with the same status as HEAD', async () => {
  const site = await serve({
    hooks: {
      access({ request }) {
        const code = request?.headers['x-code']
        if (code !== undefined) throw new TusError(code as 'ERR_UPLOAD_BUSY')
      },
    },
    logger: silent,
  })
  const url = await createUpload(site)
  for (const code of ['ERR_UPLOAD_BUSY', 'ERR_STORAGE_UNAVAILABLE', 'ERR_UPLOAD_GONE']) {
    const headers = { ...tus, 'x-code': code }
    const asked = await head(url, headers)
    const reply = await get(url, headers)
    expect([reply.status, reply.headers['retry-after']]).toEqual([
      asked.status,
      asked.headers['retry-after'],
    ])
    expect(reply.status).toBe(code === 'ERR_UPLOAD_GONE' ? 410 : 423)
    expect(reply.headers).not.toHaveProperty('upload-offset')
  }
})
