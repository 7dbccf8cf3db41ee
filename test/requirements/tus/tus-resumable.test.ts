import type { OutgoingHttpHeaders } from 'node:http'
import { type HandlerOptions, type Hooks, TusError } from 'tuskit'
import { expect, test } from 'vitest'
import { createUpload, head, patch, post, send, serve, tus } from '../../support/serve.js'
import { silent } from '../../support/silent.js'

test('T-001 successful responses have Tus-Resumable', async () => {
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

test('T-001 errors have Tus-Resumable', async () => {
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

test('T-001 failures of the application have Tus-Resumable, and reveal nothing about it', async () => {
  const failing: [Partial<HandlerOptions>, number][] = [
    [{ hooks: { preCreate: () => Promise.reject(new Error('the password is xyzzy')) } }, 500],
    [{ generateId: () => Promise.reject(new Error('the password is xyzzy')) }, 500],
    [{ generateId: () => '../xyzzy' }, 422],
  ]
  for (const [options, status] of failing) {
    const { origin } = await serve({ ...options, logger: silent })
    const reply = await send({
      method: 'POST',
      url: `${origin}/files`,
      headers: { ...tus, 'upload-length': '5' },
    })
    expect([reply.status, reply.headers['tus-resumable']]).toEqual([status, '1.0.0'])
    expect(reply.text).toMatch(/^ERR_[A-Z_]+: /)
    expect(reply.text).not.toContain('xyzzy')
  }
})

test('T-001 rejections by hooks have Tus-Resumable, whatever headers the hook chose', async () => {
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
  'T-001 a rejection that cannot be sent is a failure of the hook: %j',
  async (reject) => {
    const site = await serve({ hooks: { access: () => ({ reject }) }, logger: silent })
    const created = await post(site, { 'upload-length': '5' })
    expect([created.status, created.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
    expect(created.headers['tus-resumable']).toBe('1.0.0')
  },
)

test.each(unsendable)(
  'T-001 an error whose response cannot be sent gets 500 without its headers: %j',
  async (custom) => {
    const access = () => {
      const response = { status: 403, headers: {}, body: 'no', ...custom }
      throw new TusError('ERR_ACCESS_DENIED', { response })
    }
    const site = await serve({ hooks: { access }, logger: silent })
    const reply = await post(site, { 'upload-length': '5' })
    expect(reply.status).toBe(500)
    expect(reply.headers).not.toHaveProperty('x-c')
  },
)

test('T-001 the refusal of a server that is shutting down has Tus-Resumable', async () => {
  const { origin, handler } = await serve({ logger: silent })
  await handler.shutdown()
  const reply = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  expect([reply.status, reply.headers['tus-resumable']]).toEqual([503, '1.0.0'])
})
