import { expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  download,
  head,
  patch,
  send,
  sendRaw,
  serve,
  tus,
  type Reply,
} from '../../support/serve.js'

function override(
  method: string,
  url: string,
  name: string | string[],
  headers: object = {},
  body?: string,
): Promise<Reply> {
  return send({
    method,
    url,
    headers: { ...tus, 'x-http-method-override': name, ...headers },
    ...(body !== undefined && { body }),
  })
}

const hello = { ...chunk, 'upload-offset': '0', 'content-length': '5' }

test('T-070 POST with an override acts as PATCH, HEAD or DELETE', async () => {
  const url = await createUpload(await serve(), { 'upload-length': '5' })
  const patched = await override('POST', url, 'PATCH', hello, 'hello')
  expect([patched.status, patched.headers['upload-offset']]).toEqual([204, '5'])
  const headed = await override('POST', url, 'HEAD')
  expect([headed.status, headed.headers['upload-offset']]).toEqual([200, '5'])
  expect((await override('POST', url, 'DELETE')).status).toBe(204)
  expect((await head(url)).status).toBe(404)
})

test('T-070 the rules of the effective method apply, errors included', async () => {
  const site = await serve()
  const url = await createUpload(site, { 'upload-length': '5' })
  const statuses = [
    await override('POST', url, 'PATCH', { ...hello, 'tus-resumable': '0.2.2' }, 'hello'),
    await override('POST', url, 'PATCH', { ...hello, 'content-type': 'text/plain' }, 'hello'),
    await override('POST', url, 'PATCH', { ...hello, 'upload-offset': '3' }, 'hello'),
    await override('POST', `${site.origin}/files/unknown`, 'PATCH', hello, 'hello'),
    await override('POST', `${site.origin}/files`, 'PATCH', hello, 'hello'),
    await override('PATCH', url, 'POST', hello, 'hello'),
  ].map(({ status }) => status)
  expect(statuses).toEqual([412, 415, 409, 404, 405, 405])
  expect((await head(url)).headers['upload-offset']).toBe('0')
})

const wire = ['POST', 'PUT', 'GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY']

test.each(wire)('T-071 %s as the actual method can be overridden by any', async (method) => {
  const site = await serve()
  const url = await createUpload(site, { 'upload-length': '5' })
  const patched = await override(method, url, 'PATCH', hello, 'hello')
  expect([patched.status, patched.headers['upload-offset']]).toEqual([204, '5'])
  const got = await override(method, url, 'GET')
  expect([got.status, got.text]).toEqual([200, method === 'HEAD' ? '' : 'hello'])
  const options = await override(method, url, 'OPTIONS')
  expect([options.status, options.headers['tus-version']]).toEqual([200, '1.0.0'])
  expect((await override(method, url, 'DELETE')).status).toBe(204)
  const created = await override(method, `${site.origin}/files`, 'POST', { 'upload-length': '5' })
  expect(created.status).toBe(201)
  expect((await head(site.origin + created.headers.location)).status).toBe(200)
})

test.each(['patch', 'Patch', ' PATCH '])('T-071 "%s" names PATCH', async (name) => {
  const url = await createUpload(await serve(), { 'upload-length': '5' })
  expect((await override('POST', url, name, hello, 'hello')).status).toBe(204)
  expect(await download(url)).toBe('hello')
})

test.each([
  'PUT',
  'TRACE',
  'CONNECT',
  'QUERY',
  'PATCHES',
  'PATCH;q=1',
  'PATCH, PATCH',
  '__proto__',
  '\u00e9',
])('T-071 "%s" is not an effective method', async (name) => {
  const url = await createUpload(await serve(), { 'upload-length': '5' })
  const reply = await override('PATCH', url, name, hello, 'hello')
  expect(reply.status).toBe(405)
  expect(reply.headers.allow).toBe('HEAD, PATCH, GET, DELETE, OPTIONS')
  expect(reply.headers['tus-resumable']).toBe('1.0.0')
  expect((await head(url)).headers['upload-offset']).toBe('0')
})

test('T-071 a repeated header gets 405', async () => {
  const url = await createUpload(await serve())
  expect((await override('POST', url, ['HEAD', 'HEAD'])).status).toBe(405)
})

test('T-072 an override cannot bypass the version, the access hook or a disabled feature', async () => {
  const actions: string[] = []
  const site = await serve({
    disable: ['termination'],
    hooks: {
      access: ({ action }) => {
        actions.push(action)
        return action === 'append' ? { reject: true } : undefined
      },
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const plain = { 'tus-resumable': [] as string[] }
  expect((await override('HEAD', url, 'PATCH', { ...hello, ...plain }, 'hello')).status).toBe(412)
  expect((await override('GET', url, 'DELETE')).status).toBe(405)
  expect((await override('HEAD', url, 'PATCH', hello, 'hello')).status).toBe(403)
  expect((await override('DELETE', url, 'HEAD')).status).toBe(200)
  expect(actions).toEqual(['create', 'append', 'inspect'])
})

test('T-072 HEAD named by a POST needs no Tus-Resumable', async () => {
  const url = await createUpload(await serve())
  const headers = { 'x-http-method-override': 'HEAD' }
  expect((await send({ method: 'POST', url, headers })).headers['upload-offset']).toBe('0')
})

test('T-072 HEAD named by a POST has no response body, errors included', async () => {
  const site = await serve()
  const url = await createUpload(site)
  await patch(url, 0, 'hello world')
  for (const [path, status] of [
    [new URL(url).pathname, 200],
    ['/files/unknown', 404],
  ] as const) {
    const text = await sendRaw(
      site.port,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nX-HTTP-Method-Override: HEAD\r\n` +
        'Content-Length: 0\r\nConnection: close\r\n\r\n',
    )
    const [top = '', body] = text.split('\r\n\r\n')
    expect(top).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(top).toMatch(/\r\ncache-control: no-store\r\n/i)
    expect(/content-length: *(\d+)/i.exec(top)?.[1] ?? '0').toBe('0')
    expect(top).not.toMatch(/transfer-encoding/i)
    expect(body).toBe('')
  }
})

test('T-072 an overridden request is not a preflight', async () => {
  const site = await serve({ cors: true })
  const url = await createUpload(site)
  const page = { origin: 'https://example.org' }
  const headed = await override('OPTIONS', url, 'HEAD', page)
  expect(headed.headers).not.toHaveProperty('access-control-allow-methods')
  expect(headed.headers['access-control-allow-origin']).toBe('*')
})

test('T-070 the header is ignored when the feature is disabled', async () => {
  const site = await serve({ disable: ['method-override'] })
  const url = await createUpload(site, { 'upload-length': '5' })
  const posted = await override('POST', url, 'DELETE')
  expect([posted.status, posted.text.split(':', 1)[0]]).toEqual([405, 'ERR_METHOD_NOT_ALLOWED'])
  expect((await override('PATCH', url, 'DELETE', hello, 'hello')).status).toBe(204)
  expect((await override('GET', url, 'DELETE')).text).toBe('hello')
})
