import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from 'tuskit/memory-store'
import {
  chunk,
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  send,
  serve,
  tus,
  until,
  type Site,
} from '../support/serve.js'
import { download, keptLog, media, offsetOf } from '../support/stages.js'

const chunked = { 'transfer-encoding': 'chunked' }
const deferred = { 'upload-defer-length': '1' }
const sha1 = (text: string) => `sha1 ${createHash('sha1').update(text).digest('base64')}`

describe.each(media)('maxSize 10 with %s', (_, compose) => {
  const site = async (options = {}) => serve({ composer: await compose(), maxSize: 10, ...options })

  test('a length that is too large is refused, for every kind of upload', async () => {
    const here = await site()
    for (const headers of [{}, { 'upload-concat': 'partial' }]) {
      expect((await post(here, { 'upload-length': '11', ...headers })).status).toBe(413)
      expect((await post(here, { 'upload-length': '10', ...headers })).status).toBe(201)
    }
  })

  test('a length that is declared later is refused, too', async () => {
    const here = await site()
    const url = await createUpload(here, deferred)
    const declare = (length: number) => patch(url, 0, 'hello', { 'upload-length': String(length) })
    expect((await declare(11)).status).toBe(413)
    expect((await head(url)).headers['upload-length']).toBeUndefined()
    expect((await declare(10)).status).toBe(204)
    expect((await patch(url, 5, 'world', { 'upload-length': '11' })).status).toBe(400)
    expect((await head(url)).headers['upload-length']).toBe('10')
  })

  test.each([
    ['a body of known size', {}],
    ['a chunked body', chunked],
    ['a verified body', { 'upload-checksum': sha1('world!') }],
    ['a verified chunked body', { ...chunked, 'upload-checksum': sha1('world!') }],
  ])(
    '%s that would exceed a deferred length is refused, and nothing is cut',
    async (_, headers) => {
      const here = await site()
      const url = await createUpload(here, deferred)
      expect((await patch(url, 0, 'hello')).status).toBe(204)
      const over = await patch(url, 5, 'world!', headers)
      expect(over.status).toBe(413)
      const offset = Number(over.headers['upload-offset'])
      expect(offset).toBe(await offsetOf(url))
      expect(offset).toBeLessThan(10)
      // A body within the limit is still accepted.
      const rest = 'world'.slice(offset - 5)
      expect((await patch(url, offset, rest, { 'upload-length': '10' })).status).toBe(204)
      expect((await download(url)).toString()).toBe('helloworld')
    },
  )

  test.each([
    ['a body of known size', {}],
    ['a chunked body', chunked],
    ['a chunked body with a trailer', { trailer: 'Upload-Checksum' }],
  ])('%s that exceeds the declared length is refused, and nothing is cut', async (_, headers) => {
    const here = await site()
    const url = await createUpload(here, { 'upload-length': '8' })
    const trailers =
      'trailer' in headers ? { trailers: { 'upload-checksum': sha1('hello wor') } } : {}
    const over = await send({
      method: 'PATCH',
      url,
      headers: { ...chunk, 'upload-offset': '0', ...headers },
      body: 'hello wor',
      ...trailers,
    })
    expect(over.status).toBe(413)
    expect(Number(over.headers['upload-offset'])).toBe(await offsetOf(url))
    expect(await offsetOf(url)).toBeLessThan(8)
    expect((await send({ method: 'GET', url })).status).toBe(409)
  })

  test('a chunked body that ends exactly at the limit is accepted', async () => {
    const here = await site()
    for (const headers of [deferred, { 'upload-length': '10' }]) {
      const url = await createUpload(here, headers)
      const reply = await patch(url, 0, 'helloworld', chunked)
      expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '10'])
    }
  })

  test('a chunked body in pieces: the limit is reported only when the end is seen', async () => {
    const here = await site()
    const url = await createUpload(here, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0)
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    request.write('world')
    request.end('!')
    const over = await reply
    expect(over.status).toBe(413)
    const offset = Number(over.headers['upload-offset'])
    expect(offset).toBe(5)
    expect(await offsetOf(url)).toBe(5)
  })

  test('a chunked body whose client vanishes exactly at the limit is stored', async () => {
    const here = await site()
    const url = await createUpload(here, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0)
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    request.write('world', () => request.destroy())
    await reply.catch(() => {})
    // The last bytes may have been lost on the way, but are never cut.
    expect(await offsetOf(url)).toBeOneOf([5, 10])
  })

  test('a creation with bytes is limited like a PATCH', async () => {
    const here = await site()
    const over = await post(here, { ...deferred, ...chunked }, 'hello world')
    expect(over.status).toBe(413)
    const url = new URL(over.headers.location!, here.origin).href
    expect(await offsetOf(url)).toBeLessThan(10)
    expect((await post(here, { 'upload-length': '8', ...chunked }, 'hello world')).status).toBe(413)
    expect((await post(here, { 'upload-length': '8' }, 'hello world')).status).toBe(413)
    expect((await post(here, deferred, 'hello world')).status).toBe(413)
    expect((await post(here, deferred, 'helloworld')).status).toBe(201)
  })

  test('a final upload is limited by the sum of its parts', async () => {
    const here = await site()
    const partial = await post(here, { 'upload-length': '6', 'upload-concat': 'partial' }, 'hello ')
    expect(partial.status).toBe(201)
    const { location } = partial.headers
    const final = (parts: string) => post(here, { 'upload-concat': `final;${parts}` })
    expect((await final(`${location} ${location}`)).status).toBe(413)
    expect((await final(`${location}`)).status).toBe(201)
  })

  test('a final upload of parts with deferred lengths is limited once they are known', async () => {
    const here = await site()
    const url = await createUpload(here, { ...deferred, 'upload-concat': 'partial' })
    const path = new URL(url).pathname
    const made = await post(here, { 'upload-concat': `final;${path} ${path}` })
    expect(made.status).toBe(201)
    const final = here.origin + made.headers.location
    expect((await head(final)).headers['upload-offset']).toBeUndefined()
    expect((await patch(url, 0, 'hello ', { 'upload-length': '6' })).status).toBe(204)
    expect((await head(final)).status).toBe(413)
    expect((await head(url)).status).toBe(200)
  })

  test('Tus-Max-Size reports it', async () => {
    const here = await site()
    const reply = await send({ method: 'OPTIONS', url: `${here.origin}/files` })
    expect(reply.headers['tus-max-size']).toBe('10')
  })
})

describe('a maxSize function', () => {
  test('runs per creation, and its result applies for the life of the upload', async () => {
    let limit = 10
    const lengths: (number | undefined)[] = []
    const site = await serve({
      maxSize(request, upload) {
        expect(request.url).toBe('/files')
        lengths.push(upload?.length)
        return limit
      },
    })
    const url = await createUpload(site, deferred)
    limit = 1
    expect((await post(site, { 'upload-length': '2' })).status).toBe(413)
    expect((await patch(url, 0, 'helloworld')).status).toBe(204)
    expect((await patch(url, 10, '!')).status).toBe(413)
    limit = 7
    const reply = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    expect(reply.headers['tus-max-size']).toBe('7')
    expect(lengths).toEqual([undefined, 2, undefined])
  })

  test.each([
    ['nothing', undefined],
    ['NaN', Number.NaN],
    ['a negative number', -1],
    ['a text', '10'],
  ])('that returns %s does not mean unlimited: the creation fails', async (_, limit) => {
    const log = keptLog()
    const site = await serve({ maxSize: () => limit as number, logger: log })
    expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
    expect((await post(site, deferred)).status).toBe(500)
    expect(log.lines.filter(({ level }) => level === 'error').length).toBe(2)
  })

  test('that throws refuses the creation', async () => {
    const site = await serve({
      logger: keptLog(),
      maxSize() {
        throw new Error('no quota service')
      },
    })
    expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
  })

  test('may return that there is no limit', async () => {
    const site = await serve({ maxSize: async () => Infinity })
    expect((await post(site, { 'upload-length': '5000000000000' })).status).toBe(201)
    const reply = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    expect(reply.headers['tus-max-size']).toBeUndefined()
  })
})

describe('a pre-create hook', () => {
  const siteWith = (maxSize: unknown): Promise<Site> =>
    serve({
      maxSize: 10,
      logger: keptLog(),
      hooks: { preCreate: () => ({ maxSize: maxSize as number }) },
    })

  test('sets a limit of its own', async () => {
    const site = await siteWith(5)
    expect((await post(site, { 'upload-length': '6' })).status).toBe(413)
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, 'hello!', chunked)).status).toBe(413)
    expect((await patch(url, await offsetOf(url), 'hello')).status).toBe(204)
  })

  test('may allow more than the handler', async () => {
    const site = await siteWith(20)
    expect((await post(site, { 'upload-length': '21' })).status).toBe(413)
    expect((await post(site, { 'upload-length': '20' })).status).toBe(201)
  })

  test.each([Number.NaN, -1, '5', {}])('that returns maxSize %j fails', async (maxSize) => {
    const site = await siteWith(maxSize)
    expect((await post(site, deferred)).status).toBe(500)
    expect((await post(site, { 'upload-length': '1' })).status).toBe(500)
  })
})

test('no upload gets more than the store can hold', async () => {
  const composer = memoryComposer()
  new MemoryStore({ maxSize: 10 }).useIn(composer)
  for (const options of [
    {},
    { maxSize: () => 100 },
    { hooks: { preCreate: () => ({ maxSize: 100 }) } },
  ]) {
    const site = await serve({ composer, ...options })
    expect((await post(site, { 'upload-length': '11' })).status).toBe(413)
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, 'hello world')).status).toBe(413)
    const reply = await send({ method: 'OPTIONS', url: `${site.origin}/files`, headers: tus })
    expect(reply.headers['tus-max-size']).toBe('10')
  }
})
