import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { send, sendRaw, serve } from '../serve.js'
import { append, chunked, create, end, more, started, stateOf, urlIn } from './draft.js'

test('R-120 content codings are kept: offsets and lengths count coded bytes', async () => {
  const site = await serve()
  const coded = gzipSync(randomBytes(10_000).toString('hex'))
  const half = coded.length >> 1
  const url = await started(site, 9, coded.subarray(0, half), {
    'content-encoding': 'gzip',
    'upload-length': String(coded.length),
  })
  expect(await stateOf(url, 9)).toMatchObject({
    'upload-offset': String(half),
    'upload-length': String(coded.length),
  })
  expect((await append(url, 9, half, coded.subarray(half), end(9))).status).toBe(201)
  const { body, headers } = await send({ method: 'GET', url })
  expect(sha256(body)).toBe(sha256(coded))
  expect(headers).toMatchObject({
    'content-encoding': 'gzip',
    'content-length': String(coded.length),
  })
})

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

test('R-121 transfer codings do not count', async () => {
  const site = await serve()
  const reply = await create(site, 9, 'hello', { ...more(9), ...chunked })
  const url = urlIn(reply, site)
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5' })
  expect((await append(url, 9, 5, ' world', { ...end(9), ...chunked })).headers).toMatchObject({
    'upload-offset': '11',
    'upload-complete': '?1',
  })
})

test('R-121 Content-Length beside Transfer-Encoding: 400, and nothing is created', async () => {
  let created = 0
  const { port } = await serve({ hooks: { postCreate: () => void created++ } })
  const reply = await sendRaw(
    port,
    'POST /files HTTP/1.1\r\nHost: a\r\nUpload-Complete: ?1\r\nContent-Length: 5\r\n' +
      'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  )
  expect([reply.slice(0, 12), created]).toEqual(['HTTP/1.1 400', 0])
})

test('R-122 parts may be empty, of any size, and begin and end anywhere', async () => {
  const site = await serve()
  const data = randomBytes(100_003)
  const url = await started(site, 9, '')
  let offset = 0
  for (const size of [0, 1, 0, 4095, 4097, 65_536, 7, 0]) {
    const reply = await append(url, 9, offset, data.subarray(offset, offset + size), more(9))
    expect(reply.status).toBe(204)
    offset += size
    expect(reply.headers['upload-offset']).toBe(String(offset))
  }
  expect((await append(url, 9, offset, data.subarray(offset), end(9))).status).toBe(201)
  expect(sha256((await send({ method: 'GET', url })).body)).toBe(sha256(data))
})

test.each(['?1', '?1;q=2', 'what'])(
  'R-123 "Incremental: %s" changes nothing',
  async (incremental) => {
    const site = await serve()
    const reply = await create(site, 9, 'hello', { ...end(9), incremental })
    expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
  },
)
