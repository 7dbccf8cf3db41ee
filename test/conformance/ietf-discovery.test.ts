import { expect, test } from 'vitest'
import { send, sendRaw, serve } from '../serve.js'
import { create, end, limitIn, more, named, urlIn, versions } from './draft.js'

test.each(versions)(
  'R-010 OPTIONS of the creation URL tells the limits, version %s',
  async (version) => {
    const { origin } = await serve({ maxSize: 1000, expiration: { after: 60_000 } })
    const url = `${origin}/files`
    const { status, headers } = await send({ method: 'OPTIONS', url, headers: named(version) })
    expect(status).toBe(200)
    const key = version !== undefined && version <= 6 ? 'expires' : 'max-age'
    expect(headers['upload-limit']).toBe(`max-size=1000, ${key}=60`)
    // For clients of the other protocol, too.
    expect(headers['tus-max-size']).toBe('1000')
  },
)

test('R-010 without limits OPTIONS tells that min-size is 0', async () => {
  const { origin } = await serve()
  const { headers } = await send({ method: 'OPTIONS', url: `${origin}/files/` })
  expect(headers['upload-limit']).toBe('min-size=0')
})

test('R-011 OPTIONS * is left to others', async () => {
  const { port } = await serve()
  const reply = await sendRaw(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(reply).toMatch(/^HTTP\/1\.1 404 /)
  expect(reply.toLowerCase()).not.toContain('upload-limit')
})

test('R-012 the limits of an upload are those that OPTIONS tells', async () => {
  const site = await serve({ maxSize: 1000, maxAppendSize: 500, minAppendSize: 3 })
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  const reply = await create(site, 9, '', more(9))
  expect(reply.headers['upload-limit']).toBe(headers['upload-limit'])
  const state = await send({ method: 'HEAD', url: urlIn(reply, site) })
  expect(state.headers['upload-limit']).toBe(headers['upload-limit'])
})

test('R-012 what is known of a creation only may change its limits', async () => {
  const site = await serve({
    maxSize: (_, upload) => (upload?.metadata.values.filetype === 'image/png' ? 10 : 1000),
  })
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(limitIn({ headers }, 'max-size')).toBe(1000)
  const image = await create(site, 9, '', { ...more(9), 'content-type': 'image/png' })
  expect(limitIn(image, 'max-size')).toBe(10)
})

test('R-013 OPTIONS with Upload-Complete is answered as without, and creates nothing', async () => {
  let created = 0
  const { origin } = await serve({ hooks: { postCreate: () => void created++ } })
  const url = `${origin}/files`
  const plain = await send({ method: 'OPTIONS', url })
  const headers = { ...named(8), ...end(8), 'content-length': '5' }
  const reply = await send({ method: 'OPTIONS', url, headers, body: 'hello' })
  const { date: _, connection: __, ...rest } = reply.headers
  expect(plain.headers).toMatchObject(rest)
  expect([reply.status, created]).toEqual([200, 0])
})

test('R-014 OPTIONS of the creation URL tells the media type of appends', async () => {
  const { origin } = await serve()
  const { headers } = await send({ method: 'OPTIONS', url: `${origin}/files` })
  expect(headers['accept-patch']).toBe('application/partial-upload')
})

test('R-015 OPTIONS of what creates no uploads tells no limits', async () => {
  const site = await serve()
  const url = urlIn(await create(site, 9, '', more(9)), site)
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
