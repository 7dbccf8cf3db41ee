import { describe, expect, test } from 'vitest'
import { HttpHooks, type HttpHooksOptions } from 'tuskit/http-hooks'
import { signed, secretOf } from '../../src/http-hooks/signature.js'
import { HookServer, type HookMessage } from '../support/hook-server.js'
import { serveUploads } from '../support/serve-http2.js'
import { createUpload, head, idOf, patch, post, remove, serve, until } from '../support/serve.js'

describe('the start fails', () => {
  const url = 'http://127.0.0.1:1/'

  test.each([
    [{}, "HttpHooks: option 'url' must be a URL that begins with http:// or https://"],
    [{ url: 'hooks' }, "'url' must be a URL"],
    [{ url: 'ftp://127.0.0.1/' }, "'url' must be a URL"],
    [{ url: 'http://ann:secret@127.0.0.1/' }, 'without user name and password'],
    [{ url, events: ['post-creat'] }, "did you mean 'post-create'?"],
    [{ url, forwardHeaders: 'authorization' }, "'forwardHeaders' must be an array of names"],
    [{ url, forwardHeaders: ['a b'] }, "'forwardHeaders' must be an array of names"],
    [{ url, forwardHeaders: ['Host'] }, 'none of them about a message itself'],
    [{ url, forwardHeaders: ['Content-Length'] }, 'none of them about a message itself'],
    [{ url, forwardHeaders: ['Transfer-Encoding'] }, 'none of them about a message itself'],
    [{ url, secret: 'secret' }, "'secret' must be 'whsec_' and at least 24 bytes in Base64"],
    [{ url, secret: 'whsec_c2hvcnQ=' }, "'secret' must be 'whsec_' and at least 24 bytes"],
    [{ url, timeout: 0 }, "'timeout' must be a number of milliseconds"],
    [{ url, attempts: 0 }, "'attempts' must be a whole number, more than 0"],
    [{ url, delay: -1 }, "'delay' must be a number of milliseconds"],
    [{ url, retries: 3 }, "'retries'"],
  ])('with the options %j', (options, message) => {
    expect(() => new HttpHooks(options as HttpHooksOptions)).toThrow(message)
  })

  test('and the error does not show the secret', () => {
    const secret = 'whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!'
    expect(() => new HttpHooks({ url, secret })).toThrow(/^(?!.*!!!)/)
  })
})

/** Starts a server with these hooks. */
async function start(options: Partial<HttpHooksOptions> = {}) {
  const hooks = await HookServer.start()
  const site = await serve({ hooks: new HttpHooks({ url: hooks.url, ...options }) })
  return { hooks, site }
}

test('the events that tusd sends by default are sent', async () => {
  const { hooks, site } = await start()
  const url = await createUpload(site, { 'upload-length': '5' })
  await patch(url, 0, 'hello')
  await remove(url)
  await until(
    async () => hooks.events,
    (events) => events.includes('post-terminate'),
  )
  expect(hooks.events.toSorted()).toEqual([
    ...['post-create', 'post-finish', 'post-terminate', 'pre-create'],
  ])
})

test('a message names the event, and no header of the client', async () => {
  const { hooks, site } = await start({ events: ['pre-create'] })
  const secrets = { authorization: 'Bearer example', cookie: 'a=b', 'x-tenant': 'blue' }
  await post(site, { 'upload-length': '5', ...secrets })
  const [{ method, target, headers }] = (await hooks.received(1)) as [HookMessage]
  expect([method, target]).toEqual(['POST', '/hooks?source=test'])
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'hook-name': 'pre-create',
    'idempotency-key': expect.any(String) as string,
  })
  const names = Object.keys(headers)
  expect(names.filter((name) => name in secrets || name.startsWith('webhook-'))).toEqual([])
})

test('chosen headers are passed on, with all their values', async () => {
  const forwardHeaders = ['Authorization', 'x-repeated', 'X-Latin', 'X-Absent', 'Content-Language']
  const { hooks, site } = await start({ events: ['pre-create'], forwardHeaders })
  await post(site, {
    'upload-length': '5',
    authorization: 'Bearer example',
    'x-repeated': ['first', 'second'],
    'x-latin': 'café',
    'x-other': 'stays',
    'content-language': 'de',
  })
  const [{ headers }] = (await hooks.received(1)) as [HookMessage]
  expect(headers).toMatchObject({
    authorization: 'Bearer example',
    'x-repeated': 'first, second',
    'x-latin': 'café',
    'content-language': 'de',
  })
  expect(headers).not.toHaveProperty('x-absent')
  expect(headers).not.toHaveProperty('x-other')
})

test('clients cannot choose what the message says of itself', async () => {
  const own = ['Hook-Name', 'Idempotency-Key', 'Webhook-Signature']
  const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
  const { hooks, site } = await start({ events: ['pre-create'], forwardHeaders: own, secret })
  await post(site, {
    'upload-length': '5',
    'hook-name': 'post-finish',
    'idempotency-key': 'mine',
    'webhook-signature': 'v1,mine',
  })
  const [{ headers }] = (await hooks.received(1)) as [HookMessage]
  expect(headers['hook-name']).toBe('pre-create')
  expect(headers['idempotency-key']).not.toContain('mine')
  expect(headers['webhook-signature']).not.toContain('mine')
})

test('the key of an event after the fact is its id, and each question has a key of its own', async () => {
  const { hooks, site } = await start({ events: ['access', 'post-finish'] })
  const url = await createUpload(site, { 'upload-length': '5' })
  await head(url)
  await head(url)
  await patch(url, 0, 'hello')
  const messages = await hooks.received(5)
  const keys = messages.map(({ headers }) => headers['idempotency-key'])
  expect(new Set(keys).size).toBe(5)
  expect(keys).toContain(`${idOf(url)}/post-finish`)
})

describe('signatures', () => {
  const key = Buffer.from('0123456789abcdef0123456789abcdef')
  const secret = `whsec_${key.toString('base64')}`

  test('can be verified as Standard Webhooks says', async () => {
    const before = Math.floor(Date.now() / 1000)
    const { hooks, site } = await start({ events: ['pre-create'], secret })
    const metadata = `filename ${Buffer.from('Übersicht 😀').toString('base64')}`
    await post(site, { 'upload-length': '5', 'upload-metadata': metadata })
    const [{ headers, text }] = (await hooks.received(1)) as [HookMessage]
    const { 'webhook-id': id, 'webhook-timestamp': timestamp } = headers
    expect(id).toBe(headers['idempotency-key'])
    expect(Number(timestamp)).toBeGreaterThanOrEqual(before)
    expect(Number(timestamp)).toBeLessThanOrEqual(Date.now() / 1000)
    const [version, signature] = String(headers['webhook-signature']).split(',')
    expect(version).toBe('v1')
    const verify = async (content: string) => {
      const { subtle } = globalThis.crypto
      const hmac = { name: 'HMAC', hash: 'SHA-256' }
      const imported = await subtle.importKey('raw', key, hmac, false, ['verify'])
      const bytes = Buffer.from(signature!, 'base64')
      return subtle.verify('HMAC', imported, bytes, Buffer.from(content))
    }
    expect(await verify(`${String(id)}.${String(timestamp)}.${text}`)).toBe(true)
    expect(await verify(`${String(id)}.${String(timestamp)}.${text} `)).toBe(false)
  })

  test('are those of the example that other libraries are tested with', () => {
    const known = secretOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    const body = '{"test": 2432232314}'
    expect(signed(known, 'msg_p5jXN8AQM9LWM0D4loKWxJek', body, 1614265330)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })
})

test('over HTTP/2, cookies are one header, and the authority is the host', async () => {
  const hooks = await HookServer.start()
  const forwardHeaders = ['Cookie']
  const { session, port } = await serveUploads({
    hooks: new HttpHooks({ url: hooks.url, events: ['pre-create'], forwardHeaders }),
  })
  const stream = session.request({
    ':method': 'POST',
    ':path': '/files',
    'tus-resumable': '1.0.0',
    'upload-length': '0',
    cookie: ['a=1', 'b=2'],
  })
  stream.resume().end()
  const [{ headers, text }] = (await hooks.received(1)) as [HookMessage]
  expect(headers.cookie).toBe('a=1; b=2')
  const { Event } = JSON.parse(text) as {
    readonly Event: { readonly HTTPRequest: { readonly Header: Record<string, string[]> } }
  }
  expect(Event.HTTPRequest.Header.Host).toEqual([expect.stringContaining(`:${port}`)])
})
