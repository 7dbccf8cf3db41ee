import { expect, test } from 'vitest'
import { head, send, serve, tus } from '../../support/serve.js'

test('T-010 an error is one line of text that begins with its code', async () => {
  const { origin } = await serve()
  const reply = await send({ method: 'DELETE', url: `${origin}/files/unknown`, headers: tus })
  expect(reply.status).toBe(404)
  expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
  expect(reply.text).toMatch(/^ERR_UPLOAD_NOT_FOUND: [^\n]+\n$/)
})

test('T-010 an error response to HEAD has no body', async () => {
  const { origin } = await serve()
  for (const headers of [tus, { 'tus-resumable': '0.2.2' }]) {
    const reply = await head(`${origin}/files/unknown`, headers)
    expect(reply.status).toBeOneOf([404, 412])
    expect(reply.text).toBe('')
    expect(reply.headers['content-length'] ?? '0').toBe('0')
    expect(reply.headers['transfer-encoding']).toBeUndefined()
  }
})
