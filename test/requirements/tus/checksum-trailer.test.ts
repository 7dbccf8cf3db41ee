import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  download,
  head,
  patch,
  send,
  sendRaw,
  serve,
  stores,
  type Reply,
} from '../../support/serve.js'

function digestOf(data: string, algorithm = 'sha1'): string {
  return `${algorithm} ${createHash(algorithm).update(data).digest('base64')}`
}

const announced = { trailer: 'Upload-Checksum' }

/** A chunked PATCH at offset 0 with a trailer. */
function patchWithTrailer(
  url: string,
  body: string,
  checksum: string,
  headers: Record<string, string> = announced,
): Promise<Reply> {
  return send({
    method: 'PATCH',
    url,
    headers: { ...chunk, 'upload-offset': '0', 'transfer-encoding': 'chunked', ...headers },
    body,
    trailers: { 'Upload-Checksum': checksum },
  })
}

describe.each(stores)('a checksum in a trailer ($store store)', ({ compose }) => {
  test('T-138 a checksum in a trailer has the same results as one in a header', async () => {
    const site = await serve({ composer: await compose() })
    for (const algorithm of ['sha1', 'sha256', 'md5']) {
      const url = await createUpload(site, { 'upload-length': '5' })
      const claimed = digestOf('hello', algorithm)
      const wrong = await patchWithTrailer(url, 'hellO', claimed)
      expect([wrong.status, wrong.statusMessage]).toEqual([460, 'Checksum Mismatch'])
      expect((await head(url)).headers['upload-offset']).toBe('0')
      const right = await patchWithTrailer(url, 'hello', claimed)
      expect([right.status, right.headers['upload-offset']]).toEqual([204, '5'])
      expect(await download(url)).toBe('hello')
    }
  })

  test('T-138 a malformed or unsupported checksum is refused, and nothing is stored', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    for (const value of ['', 'sha1', 'sha1 !!!', 'sha1 aGVsbG8=', 'rot13 eA==', 'SHA1 eA==']) {
      expect([value, (await patchWithTrailer(url, 'hello', value)).status]).toEqual([value, 400])
    }
    expect((await head(url)).headers['upload-offset']).toBe('0')
  })

  test('T-138 the checksum of a creation with bytes is verified', async () => {
    const site = await serve({ composer: await compose() })
    for (const [body, status] of [
      ['hello', 201],
      ['hellO', 460],
    ] as const) {
      const reply = await send({
        method: 'POST',
        url: `${site.origin}/files`,
        headers: { ...chunk, ...announced, 'upload-length': '5' },
        body,
        trailers: { 'Upload-Checksum': digestOf('hello') },
      })
      expect([body, reply.status]).toEqual([body, status])
    }
  })

  test('T-139 a trailer that differs from the header gets 400 and discards the chunk', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    const both = { ...announced, 'upload-checksum': digestOf('hello') }
    const others = [digestOf('hellO'), digestOf('hello', 'sha256')]
    for (const other of others) {
      const reply = await patchWithTrailer(url, 'hello', other, both)
      expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([400, 'ERR_INVALID_CHECKSUM'])
    }
    expect((await head(url)).headers['upload-offset']).toBe('0')
    expect((await patchWithTrailer(url, 'hellO', digestOf('hello'), both)).status).toBe(460)
    expect((await patchWithTrailer(url, 'hello', digestOf('hello'), both)).status).toBe(204)
  })

  test('T-139 an announced trailer that does not come gets 400 and discards the chunk', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    const bodies = [
      'Content-Length: 5\r\n\r\nhello',
      'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ]
    for (const body of bodies) {
      const head = [
        `PATCH ${new URL(url).pathname} HTTP/1.1`,
        'Host: localhost',
        'Connection: close',
        'Tus-Resumable: 1.0.0',
        'Content-Type: application/offset+octet-stream',
        'Upload-Offset: 0',
        'Trailer: Upload-Checksum',
      ]
      const response = await sendRaw(site.port, `${head.join('\r\n')}\r\n${body}`)
      expect(response).toMatch(/^HTTP\/1\.1 400 /)
      expect(response).toContain('ERR_INVALID_CHECKSUM')
    }
    expect((await head(url)).headers['upload-offset']).toBe('0')
  })

  test('T-139 a trailer that was not announced is ignored', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    const reply = await patchWithTrailer(url, 'hello', digestOf('hellO'), {})
    expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '5'])
  })

  test('T-139 the trailer is found among others, whatever the case of its name', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    const headers = { trailer: 'X-Other, upload-CHECKSUM' }
    expect((await patchWithTrailer(url, 'hellO', digestOf('hello'), headers)).status).toBe(460)
    expect((await patchWithTrailer(url, 'hello', digestOf('hello'), headers)).status).toBe(204)
  })
})

test('T-138 trailers are advertised, and refused when the extension is disabled', async () => {
  const site = await serve()
  const options = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect((options.headers['tus-extension'] as string).split(',')).toContain('checksum-trailer')

  const without = await serve({ disable: ['checksum-trailer'] })
  const { headers } = await send({ method: 'OPTIONS', url: `${without.origin}/files` })
  const extensions = (headers['tus-extension'] as string).split(',')
  expect(extensions).toContain('checksum')
  expect(extensions).not.toContain('checksum-trailer')
  const url = await createUpload(without, { 'upload-length': '5' })
  const reply = await patchWithTrailer(url, 'hello', digestOf('hello'))
  expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([400, 'ERR_EXTENSION_DISABLED'])
  expect((await head(url)).headers['upload-offset']).toBe('0')
  const inHeader = await patch(url, 0, 'hello', { 'upload-checksum': digestOf('hello') })
  expect(inHeader.status).toBe(204)
})
