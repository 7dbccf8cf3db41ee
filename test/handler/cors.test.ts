import { describe, expect, test, vi } from 'vitest'
import { createUpload, head, patch, post, send, serve, tus } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

describe('cors', () => {
  const origin = 'https://app.example'

  test('is off by default', async () => {
    const site = await serve()
    const reply = await post(site, { 'upload-length': '1', origin })
    expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control'))).toEqual(
      [],
    )
  })

  test('covers every response, including errors', async () => {
    const site = await serve({ cors: { origins: [origin] }, logger: keptLog() })
    const url = await createUpload(site)
    const replies = await Promise.all([
      head(url, { ...tus, origin }),
      patch(url, 7, 'x', { origin }),
      post(site, { origin }),
      send({ method: 'GET', url: `${site.origin}/files/none`, headers: { origin } }),
      send({ method: 'PUT', url, headers: { ...tus, origin } }),
      send({ method: 'PATCH', url, headers: { origin } }),
      send({ method: 'GET', url: `${site.origin}/elsewhere`, headers: { origin } }),
    ])
    expect(replies.map(({ status }) => status)).toEqual([200, 409, 400, 404, 405, 412, 404])
    for (const { headers } of replies) {
      expect(headers['access-control-allow-origin']).toBe(origin)
      expect(headers['access-control-expose-headers']).toContain('Upload-Offset')
      expect(headers.vary).toContain('Origin')
    }
  })

  test('adds only Vary for other origins', async () => {
    const site = await serve({ cors: { origins: [origin] } })
    for (const other of [undefined, 'https://evil.example']) {
      const reply = await head(await createUpload(site), {
        ...tus,
        ...(other && { origin: other }),
      })
      expect(reply.headers['access-control-allow-origin']).toBeUndefined()
      expect(reply.headers.vary).toContain('Origin')
    }
  })

  test('responds to a preflight without calling a hook', async () => {
    const access = vi.fn()
    const site = await serve({ cors: true, hooks: { access: access } })
    const reply = await send({
      method: 'OPTIONS',
      url: `${site.origin}/files/a`,
      headers: {
        origin,
        'access-control-request-method': 'PATCH',
        'access-control-request-headers': 'upload-offset, upload-future',
      },
    })
    expect(reply.status).toBeOneOf([200, 204])
    expect(reply.headers['access-control-allow-origin']).toBe('*')
    expect(reply.headers['access-control-allow-methods']).toContain('PATCH')
    expect(reply.headers['access-control-allow-headers']).toContain('upload-future')
    expect(access).not.toHaveBeenCalled()
  })
})
