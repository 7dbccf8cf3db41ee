import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { send, sendRaw, serve } from '../../support/serve.js'
import { chunked, draft9, draftOf, urlIn, versions } from './draft.js'

test('R-120 content codings are kept; offsets and lengths count coded bytes', async () => {
  const site = await serve()
  const coded = gzipSync(randomBytes(10_000).toString('hex'))
  const half = coded.length >> 1
  const url = await draft9.started(site, coded.subarray(0, half), {
    'content-encoding': 'gzip',
    'upload-length': String(coded.length),
  })
  expect(await draft9.stateOf(url)).toMatchObject({
    'upload-offset': String(half),
    'upload-length': String(coded.length),
  })
  expect((await draft9.append(url, half, coded.subarray(half), draft9.end)).status).toBe(201)
  const { body, headers } = await send({ method: 'GET', url })
  expect(sha256(body)).toBe(sha256(coded))
  expect(headers).toMatchObject({
    'content-encoding': 'gzip',
    'content-length': String(coded.length),
  })
})

test('R-120 a Content-Encoding that does not match the content changes nothing', async () => {
  const site = await serve()
  const coding = { 'content-encoding': 'gzip' }
  const url = await draft9.started(site, 'no ', coding)
  const reply = await draft9.append(url, 3, 'gzip', { ...draft9.end, ...coding })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '7'])
  expect((await send({ method: 'GET', url })).text).toBe('no gzip')
})

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

test.each(versions)('R-121 transfer codings do not count, version %s', async (version) => {
  const draft = draftOf(version)
  const site = await serve()
  const reply = await draft.create(site, 'hello', { ...draft.more, ...chunked })
  expect(reply.headers['upload-offset']).toBe('5')
  const url = urlIn(reply, site)
  expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5' })
  const fields = { ...draft.end, ...chunked }
  expect((await draft.append(url, 5, ' world', fields)).headers).toMatchObject({
    'upload-offset': '11',
    ...draft.end,
  })
  expect((await send({ method: 'GET', url })).text).toBe('hello world')
})

test('R-121 Content-Length together with Transfer-Encoding gets 400, and nothing is created', async () => {
  let created = 0
  const { port } = await serve({ hooks: { postCreate: () => void created++ } })
  const reply = await sendRaw(
    port,
    'POST /files HTTP/1.1\r\nHost: a\r\nUpload-Complete: ?1\r\nContent-Length: 5\r\n' +
      'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  )
  expect([reply.slice(0, 12), created]).toEqual(['HTTP/1.1 400', 0])
})

test.each(versions)(
  'R-122 parts may be empty, of any size, and begin and end anywhere, version %s',
  async (version) => {
    const draft = draftOf(version)
    const site = await serve()
    const data = randomBytes(100_003)
    const url = await draft.started(site, '')
    let offset = 0
    for (const size of [0, 1, 0, 4095, 4097, 65_536, 7, 0]) {
      const part = data.subarray(offset, offset + size)
      const reply = await draft.append(url, offset, part, draft.more)
      offset += size
      expect(reply.headers).toMatchObject({ ...draft.more, 'upload-offset': String(offset) })
    }
    expect(offset).toBe(73_736)
    const last = await draft.append(url, offset, data.subarray(offset), draft.end)
    expect(last.headers).toMatchObject({ ...draft.end, 'upload-offset': '100003' })
    expect(sha256((await send({ method: 'GET', url })).body)).toBe(sha256(data))
  },
)

test.each(['?1', '?1;q=2', 'what'])(
  'R-123 "Incremental: %s" changes nothing',
  async (incremental) => {
    const site = await serve()
    const reply = await draft9.create(site, 'hello', { ...draft9.more, incremental })
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
    const appended = await draft9.append(urlIn(reply, site), 5, ' world', {
      ...draft9.end,
      incremental,
    })
    expect([appended.status, appended.headers['upload-complete']]).toEqual([201, '?1'])
  },
)
