import type { OutgoingHttpHeaders } from 'node:http'
import { TusError, type HandlerOptions, type Hooks } from 'tuskit'
import { expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  fileComposer,
  head,
  patch,
  post,
  send,
  serve,
  stores,
  temporaryDirectory,
  tus,
  until,
} from '../serve.js'

const silent = { error() {}, warn() {}, info() {}, debug() {} }

test('T-001 successes carry Tus-Resumable', async () => {
  const { origin } = await serve()
  const created = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  const url = origin + created.headers.location
  const replies = [
    created,
    await head(url),
    await patch(url, 0, 'hello'),
    await send({ method: 'GET', url }),
    await send({ method: 'DELETE', url, headers: tus }),
  ]
  expect(replies.map(({ status }) => status)).toEqual([201, 200, 204, 200, 204])
  for (const reply of replies) expect(reply.headers['tus-resumable']).toBe('1.0.0')
})

test('T-001 errors carry Tus-Resumable', async () => {
  const site = await serve({ maxSize: 100 })
  const url = await createUpload(site)
  const files = `${site.origin}/files`
  const post = (headers: OutgoingHttpHeaders) => send({ method: 'POST', url: files, headers })
  const replies = [
    await post({ ...tus, 'upload-length': 'x' }),
    await head(`${files}/nothing-there`),
    await send({ method: 'PUT', url, headers: tus }),
    await send({ method: 'GET', url }),
    await patch(url, 3, 'hello'),
    await post({ 'tus-resumable': '0.2.2' }),
    await post({ ...tus, 'upload-length': '101' }),
    await patch(url, 0, 'hello', { 'content-type': 'text/plain' }),
    await send({ method: 'POST', url: `${files}/a/b`, headers: tus }),
  ]
  expect(replies.map(({ status }) => status)).toEqual([400, 404, 405, 409, 409, 412, 413, 415, 404])
  for (const reply of replies) expect(reply.headers['tus-resumable']).toBe('1.0.0')
})

test('T-001 failures of the application carry Tus-Resumable, and tell nothing of it', async () => {
  const failing: Partial<HandlerOptions>[] = [
    { hooks: { preCreate: () => Promise.reject(new Error('the password is 1234')) } },
    { generateId: () => Promise.reject(new Error('the password is 1234')) },
    { generateId: () => '../1234' },
  ]
  for (const options of failing) {
    const { origin } = await serve({ ...options, logger: silent })
    const reply = await send({
      method: 'POST',
      url: `${origin}/files`,
      headers: { ...tus, 'upload-length': '5' },
    })
    expect([reply.status, reply.headers['tus-resumable']]).toEqual([500, '1.0.0'])
    expect(reply.text).toMatch(/^ERR_[A-Z_]+: /)
    expect(reply.text).not.toContain('1234')
  }
})

test('T-001 refusals by hooks carry Tus-Resumable, whatever headers the hook chose', async () => {
  const headers = { 'Tus-Resumable': '0.0.0', 'X-Reason': 'quota' }
  const reject = { status: 402, headers, body: 'no' }
  const hooks: Hooks[] = [
    { access: () => ({ reject }) },
    { preCreate: () => ({ reject }) },
    { preFinish: () => ({ reject }) },
  ]
  for (const each of hooks) {
    const { origin } = await serve({ hooks: each })
    const reply = await send({
      method: 'POST',
      url: `${origin}/files`,
      headers: { ...tus, 'upload-length': '0' },
    })
    expect([reply.status, reply.text]).toEqual([402, 'no'])
    expect([reply.headers['tus-resumable'], reply.headers['x-reason']]).toEqual(['1.0.0', 'quota'])
  }
})

const unsendable = [{ status: 99 }, { status: 1_000 }, { headers: { 'x-a': 'b\r\nx-c: d' } }]

test.each(unsendable)(
  'T-001 a refusal that cannot be sent is a failure of the hook: %j',
  async (reject) => {
    const site = await serve({ hooks: { access: () => ({ reject }) }, logger: silent })
    const created = await post(site, { 'upload-length': '5' })
    expect([created.status, created.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
    expect(created.headers['tus-resumable']).toBe('1.0.0')
  },
)

test.each(unsendable)(
  'T-001 an error of the application that cannot be sent: %j',
  async (answer) => {
    const access = () => {
      const response = { status: 403, headers: {}, body: 'no', ...answer }
      throw new TusError('ERR_ACCESS_DENIED', { response })
    }
    const site = await serve({ hooks: { access }, logger: silent })
    const reply = await post(site, { 'upload-length': '5' })
    expect(reply.status).toBe(500)
    expect(reply.headers).not.toHaveProperty('x-c')
  },
)

test('T-001 the refusal of a server that shuts down carries Tus-Resumable', async () => {
  const { origin, handler } = await serve({ logger: silent })
  await handler.shutdown()
  const reply = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  expect([reply.status, reply.headers['tus-resumable']]).toEqual([503, '1.0.0'])
})

const unsupported = [
  '0.2.2',
  '1.0',
  '1.0.1',
  '1.0.0.0',
  '01.0.0',
  'v1.0.0',
  '2.0.0, 1.0.0',
  '*',
  '',
]

test.each(unsupported)('T-002 version "%s" is answered 412 for every method', async (version) => {
  const site = await serve()
  const url = await createUpload(site)
  for (const method of ['POST', 'PATCH', 'HEAD', 'GET', 'DELETE', 'PUT']) {
    const reply = await send({
      method,
      url: method === 'POST' ? `${site.origin}/files` : url,
      headers: { ...chunk, 'upload-length': '3', 'tus-resumable': version },
    })
    expect([method, reply.status]).toEqual([method, 412])
    expect([reply.headers['tus-version'], reply.headers['tus-resumable']]).toEqual([
      '1.0.0',
      '1.0.0',
    ])
  }
})

test.each(['memory', 'files'])(
  'T-003 a request of another version changes nothing in %s',
  async (medium) => {
    const asked: string[] = []
    const note = ({ event }: { event: { type: string } }) => void asked.push(event.type)
    const site = await serve({
      ...(medium === 'files' && { composer: fileComposer(await temporaryDirectory()) }),
      hooks: {
        access: note,
        preCreate: note,
        postCreate: note,
        preFinish: note,
        postFinish: note,
        preTerminate: note,
        postTerminate: note,
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    await until(
      async () => asked,
      () => asked.length === 3,
    )
    const old = { 'tus-resumable': '0.2.2' }
    const replies = [
      await send({
        method: 'POST',
        url: `${site.origin}/files`,
        headers: { ...chunk, ...old, 'upload-length': '5' },
        body: 'hello',
      }),
      await patch(url, 0, 'hello', old),
      await send({ method: 'DELETE', url, headers: old }),
      await head(url, old),
    ]
    expect(replies.map(({ status }) => status)).toEqual([412, 412, 412, 412])
    expect(replies[0]!.headers.location).toBeUndefined()
    expect(asked).toEqual(['access', 'pre-create', 'post-create'])
    expect((await head(url)).headers['upload-offset']).toBe('0')
    expect((await patch(url, 0, 'HELLO')).status).toBe(204)
    expect((await send({ method: 'GET', url })).text).toBe('HELLO')
  },
)

test('T-004 without Tus-Resumable what would change something is answered 412', async () => {
  const site = await serve()
  const url = await createUpload(site)
  const { 'tus-resumable': _, ...type } = chunk
  const replies = [
    await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { 'upload-length': '5' },
    }),
    await send({
      method: 'PATCH',
      url,
      headers: { ...type, 'upload-offset': '0' },
      body: 'hello world',
    }),
    await send({ method: 'DELETE', url }),
  ]
  for (const { status, headers, text } of replies) {
    expect([status, headers['tus-version'], headers['tus-resumable']]).toEqual([
      412,
      '1.0.0',
      '1.0.0',
    ])
    expect(text).toMatch(/^ERR_UNSUPPORTED_VERSION: /)
  }
  expect((await head(url)).headers['upload-offset']).toBe('0')
})

test('T-005 HEAD and GET are served without Tus-Resumable, not with a wrong one', async () => {
  const site = await serve()
  const url = await createUpload(site)
  expect((await head(url, {})).headers['upload-offset']).toBe('0')
  await patch(url, 0, 'hello world')
  expect((await head(url, {})).headers['upload-offset']).toBe('11')
  expect((await send({ method: 'GET', url })).text).toBe('hello world')
  for (const method of ['HEAD', 'GET']) {
    const reply = await send({ method, url, headers: { 'tus-resumable': '1.1.0' } })
    expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0'])
  }
})

test('T-006 Tus-Resumable sent twice is answered 412', async () => {
  const site = await serve()
  const url = await createUpload(site)
  const twice = { 'tus-resumable': ['1.0.0', '1.0.0'] }
  const replies = [
    await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...twice, 'upload-length': '5' },
    }),
    await patch(url, 0, 'hello world', twice),
    await head(url, twice),
    await send({ method: 'DELETE', url, headers: twice }),
  ]
  expect(replies.map(({ status }) => status)).toEqual([412, 412, 412, 412])
  expect((await head(url)).headers['upload-offset']).toBe('0')
})

test('T-007 Tus-Version is the one version, in OPTIONS and in refusals', async () => {
  const { origin } = await serve()
  const options = await send({ method: 'OPTIONS', url: `${origin}/files` })
  const refused = await send({ method: 'POST', url: `${origin}/files` })
  expect(options.headers['tus-version']).toBe('1.0.0')
  expect(refused.headers['tus-version']).toBe('1.0.0')
})

const malformed: [string, string | string[]][] = [
  ['an empty value', ''],
  ['-1', '-1'],
  ['+5', '+5'],
  ['1.0', '1.0'],
  ['1e3', '1e3'],
  ['0x10', '0x10'],
  ['5 5', ' 5 5'],
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['5;a', '5;a'],
  ['"5"', '"5"'],
  ['1_000', '1_000'],
  ['a superscript', '\u00b2'],
  ['two lines', ['5', '5']],
  ['a list', '0,0'],
]

test.each(malformed)('T-008 %s is no number', async (_, value) => {
  const site = await serve()
  const creation = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...tus, 'upload-length': value },
  })
  expect([creation.status, creation.headers.location]).toEqual([400, undefined])
  expect(creation.text).toMatch(/^ERR_(INVALID|MISSING)_LENGTH: /)

  const url = await createUpload(site, { 'upload-defer-length': '1' })
  const offset = await patch(url, 0, 'hello', { 'upload-offset': value })
  expect([offset.status, offset.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_OFFSET'])
  const length = await patch(url, 0, 'hello', { 'upload-length': value })
  expect([length.status, length.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_LENGTH'])
  const { headers } = await head(url)
  expect([headers['upload-offset'], headers['upload-defer-length']]).toEqual(['0', '1'])
})

const tooLarge = ['9007199254740992', '9007199254740993', '18446744073709551616', '9'.repeat(400)]

test.each(tooLarge)('T-009 %s is never rounded', async (value) => {
  const site = await serve()
  const creation = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...tus, 'upload-length': value },
  })
  expect([creation.status, creation.headers.location]).toEqual([400, undefined])
  const url = await createUpload(site)
  expect((await patch(url, 0, 'hello', { 'upload-offset': value })).status).toBe(400)
  expect((await head(url)).headers['upload-offset']).toBe('0')
})

test.each(stores)(
  'T-009 the largest number and leading zeros are taken as they are, $store store',
  async ({ compose }) => {
    const site = await serve({ composer: await compose() })
    const largest = await createUpload(site, { 'upload-length': '9007199254740991' })
    expect((await head(largest)).headers['upload-length']).toBe('9007199254740991')
    const url = await createUpload(site, { 'upload-length': '007' })
    expect((await head(url)).headers['upload-length']).toBe('7')
    expect((await patch(url, 0, 'hello', { 'upload-offset': '000' })).status).toBe(204)
    expect((await patch(url, 0, 'ab', { 'upload-offset': '005' })).headers['upload-offset']).toBe(
      '7',
    )
  },
)

test('T-009 a number too large for the maximum as well is refused too', async () => {
  const { origin } = await serve({ maxSize: 10 })
  const reply = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers: { ...tus, 'upload-length': '9007199254740993' },
  })
  expect(reply.status).toBeOneOf([400, 413])
})

test('T-010 an error is one line of text that begins with its code', async () => {
  const { origin } = await serve()
  const reply = await send({ method: 'DELETE', url: `${origin}/files/unknown`, headers: tus })
  expect(reply.status).toBe(404)
  expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
  expect(reply.text).toMatch(/^ERR_UPLOAD_NOT_FOUND: [^\n]+\n$/)
})

test('T-010 an error in answer to HEAD has no body', async () => {
  const { origin } = await serve()
  for (const headers of [tus, { 'tus-resumable': '0.2.2' }]) {
    const reply = await head(`${origin}/files/unknown`, headers)
    expect(reply.status).toBeOneOf([404, 412])
    expect(reply.text).toBe('')
    expect(reply.headers['content-length'] ?? '0').toBe('0')
    expect(reply.headers['transfer-encoding']).toBeUndefined()
  }
})

const page = 'https://example.org'
const readable = [
  ...['Location', 'Upload-Offset', 'Upload-Length', 'Upload-Metadata', 'Upload-Defer-Length'],
  ...['Upload-Concat', 'Upload-Expires', 'Tus-Version', 'Tus-Resumable', 'Tus-Max-Size'],
  ...['Tus-Extension', 'Tus-Checksum-Algorithm'],
].map((name) => name.toLowerCase())

function names(value: string | undefined): string[] {
  return (value ?? '').split(',').map((name) => name.trim().toLowerCase())
}

test('T-011 pages of other origins can read the headers, of errors too', async () => {
  const site = await serve({ cors: { origins: [page] } })
  const url = await createUpload(site)
  const from = { origin: page }
  const replies = [
    await head(url, { ...tus, ...from }),
    await patch(url, 5, 'hello', from),
    await head(`${site.origin}/files/unknown`, { ...tus, ...from }),
    await send({ method: 'POST', url: `${site.origin}/files`, headers: from }),
    await send({ method: 'POST', url: `${site.origin}/files/a/b`, headers: { ...tus, ...from } }),
    await send({ method: 'PUT', url, headers: { ...tus, ...from } }),
  ]
  expect(replies.map(({ status }) => status)).toEqual([200, 409, 404, 412, 404, 405])
  for (const { headers } of replies) {
    expect(headers['access-control-allow-origin']).toBe(page)
    expect(names(headers['access-control-expose-headers'])).toEqual(
      expect.arrayContaining(readable),
    )
    expect(names(headers.vary)).toContain('origin')
  }
})

test('T-011 a preflight allows what clients send', async () => {
  const site = await serve({ cors: true })
  for (const url of [`${site.origin}/files`, `${site.origin}/files/unknown`]) {
    const { status, headers } = await send({
      method: 'OPTIONS',
      url,
      headers: {
        origin: page,
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'tus-resumable,upload-offset,upload-later,content-type',
      },
    })
    expect([status, headers['access-control-allow-origin']]).toEqual([200, '*'])
    expect(names(headers['access-control-allow-methods'])).toEqual(
      expect.arrayContaining(['post', 'patch', 'head', 'delete']),
    )
    expect(names(headers['access-control-allow-headers'])).toEqual(
      expect.arrayContaining([
        ...['tus-resumable', 'upload-offset', 'upload-length', 'upload-metadata'],
        ...['upload-defer-length', 'upload-concat', 'upload-checksum', 'upload-later'],
        ...['x-http-method-override', 'x-request-id', 'content-type', 'authorization'],
      ]),
    )
  }
})

test('T-011 an origin that is not allowed gets no CORS headers, and the answer still varies', async () => {
  const site = await serve({ cors: { origins: [page] } })
  for (const origin of ['https://example.com', 'https://example.org.evil.com', 'null']) {
    const { headers } = await send({
      method: 'OPTIONS',
      url: `${site.origin}/files`,
      headers: { origin },
    })
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
    expect(names(headers.vary)).toContain('origin')
  }
})

test('T-011 without the option there are no CORS headers', async () => {
  const { origin } = await serve()
  const { headers } = await send({
    method: 'OPTIONS',
    url: `${origin}/files`,
    headers: { origin: page },
  })
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
})
