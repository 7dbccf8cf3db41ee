import { expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  fileComposer,
  head,
  patch,
  send,
  serve,
  temporaryDirectory,
  until,
} from '../../support/serve.js'

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

test.each(unsupported)('T-002 version "%s" gets 412 for every method', async (version) => {
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

test('T-004 requests that would change something get 412 without Tus-Resumable', async () => {
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

test('T-005 HEAD and GET work without Tus-Resumable, but not with a wrong one', async () => {
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

test('T-006 a repeated Tus-Resumable gets 412', async () => {
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

test('T-007 Tus-Version is exactly 1.0.0, in OPTIONS and in refusals', async () => {
  const { origin } = await serve()
  const options = await send({ method: 'OPTIONS', url: `${origin}/files` })
  const refused = await send({ method: 'POST', url: `${origin}/files` })
  expect(options.headers['tus-version']).toBe('1.0.0')
  expect(refused.headers['tus-version']).toBe('1.0.0')
})
