import { expect, test } from 'vitest'
import { createUpload, head, patch, send, serve, tus } from '../../support/serve.js'

const page = 'https://example.org'
const readable = [
  ...['Location', 'Upload-Offset', 'Upload-Length', 'Upload-Metadata', 'Upload-Defer-Length'],
  ...['Upload-Concat', 'Upload-Expires', 'Tus-Version', 'Tus-Resumable', 'Tus-Max-Size'],
  ...['Tus-Extension', 'Tus-Checksum-Algorithm', 'Upload-Complete', 'Upload-Incomplete'],
].map((name) => name.toLowerCase())

function names(value: string | undefined): string[] {
  return (value ?? '').split(',').map((name) => name.trim().toLowerCase())
}

test('T-011 pages of other origins can read the headers, on errors too', async () => {
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
        ...['upload-complete', 'upload-incomplete', 'upload-draft-interop-version'],
        ...['x-http-method-override', 'x-request-id', 'content-type', 'authorization'],
      ]),
    )
  }
})

test('T-011 an origin that is not allowed gets Vary, but no CORS headers', async () => {
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
