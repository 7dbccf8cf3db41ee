import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createUpload,
  download,
  head,
  openPatch,
  patch,
  post,
  send,
  serve,
  stores,
} from '../../support/serve.js'
import { newGate } from '../../support/stages.js'

function sha1(data: string): string {
  return `sha1 ${createHash('sha1').update(data).digest('base64')}`
}

const malformed: readonly (readonly [string, string | string[]])[] = [
  ['empty', ''],
  ['no digest', 'sha1'],
  ['no space', 'sha1:qvTGHdzF6KLavt4PO0gs2a6pQ00='],
  ['not Base64', 'sha1 !!!'],
  ['bad padding', 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00'],
  ['the URL-safe alphabet', 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ-_='],
  ['the digest in hexadecimal', 'sha1 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d'],
  ['a digest of another length', 'sha1 aGVsbG8='],
  ['characters after the digest', `${sha1('hello')} x`],
  ['two lines', [sha1('hello'), sha1('hello')]],
]

/** The CRCs of "hello", which `node:crypto` cannot compute. */
const crcs: Readonly<Record<string, string>> = { crc32: 'NhCmhg==', crc32c: 'mnG7TA==' }

describe.each(stores)('a checksum ($store store)', ({ compose }) => {
  test('T-130 a match gets 204, with every advertised algorithm', async () => {
    const site = await serve({ composer: await compose() })
    const options = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    const algorithms = (options.headers['tus-checksum-algorithm'] as string).split(',')
    expect(algorithms).toContain('sha1')
    for (const name of algorithms) {
      expect(name).toMatch(/^[a-z0-9]+$/)
      const digest = crcs[name] ?? createHash(name).update('hello').digest('base64')
      const url = await createUpload(site, { 'upload-length': '5' })
      const wrong = await patch(url, 0, 'Hello', { 'upload-checksum': `${name} ${digest}` })
      expect([name, wrong.status]).toEqual([name, 460])
      const right = await patch(url, 0, 'hello', { 'upload-checksum': `${name} ${digest}` })
      expect([name, right.status, right.headers['upload-offset']]).toEqual([name, 204, '5'])
      expect(await download(url)).toBe('hello')
    }
  })

  test('T-131 a mismatch gets 460 and discards the chunk', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site)
    expect((await patch(url, 0, 'he')).status).toBe(204)
    for (const framing of [{}, { 'transfer-encoding': 'chunked' }]) {
      const headers = { 'upload-checksum': sha1('llo wor'), ...framing }
      const reply = await patch(url, 2, 'llo worXX', headers)
      expect([reply.status, reply.statusMessage]).toEqual([460, 'Checksum Mismatch'])
      expect(reply.text).toMatch(/^ERR_CHECKSUM_MISMATCH: .+\n$/)
      expect(reply.headers['upload-offset']).toBe('2')
      expect((await head(url)).headers['upload-offset']).toBe('2')
    }
    const rest = await patch(url, 2, 'llo world', { 'upload-checksum': sha1('llo world') })
    expect(rest.status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-131 a mismatch discards a large chunk completely', async () => {
    const site = await serve({ composer: await compose() })
    const body = 'x'.repeat(5_000_000)
    const url = await createUpload(site, { 'upload-length': '5000001' })
    const wrong = await patch(url, 0, body, { 'upload-checksum': sha1('') })
    expect([wrong.status, wrong.headers['upload-offset']]).toEqual([460, '0'])
    expect((await patch(url, 0, body, { 'upload-checksum': sha1(body) })).status).toBe(204)
    expect((await patch(url, 5_000_000, '!')).status).toBe(204)
    expect((await download(url)) === `${body}!`).toBe(true)
  })

  test('T-133 a malformed checksum gets 400, and nothing is stored', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    for (const [what, value] of malformed) {
      const reply = await patch(url, 0, 'hello', { 'upload-checksum': value })
      expect([what, reply.status, reply.text.split(':', 1)[0]]).toEqual([
        what,
        400,
        'ERR_INVALID_CHECKSUM',
      ])
    }
    expect((await head(url)).headers['upload-offset']).toBe('0')
  })

  test('T-135 a body that is cut off is discarded', async () => {
    const begun = newGate()
    const site = await serve({
      composer: await compose(),
      takeoverAfter: 60_000,
      hooks: { access: ({ action }) => (action === 'append' ? void begun.pass() : undefined) },
    })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, {
      'content-length': '11',
      'upload-checksum': sha1('hello world'),
    })
    request.write('HELLO')
    await begun.reached
    // When another writer has taken over, the first request has ended.
    const second = await patch(url, 0, 'hello', { 'upload-checksum': sha1('hello') })
    expect([second.status, second.headers['upload-offset']]).toEqual([204, '5'])
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })

    const third = openPatch(url, 5, {
      'content-length': '6',
      'upload-checksum': sha1(' world'),
    })
    third.request.write(' WORL')
    third.request.destroy()
    const rest = await patch(url, 5, ' world')
    expect([rest.status, rest.headers['upload-offset']]).toEqual([204, '11'])
    expect(await download(url)).toBe('hello world')
  })

  test('T-135 a body that stalls or meets a shutdown is discarded, and the response says so', async () => {
    const site = await serve({ composer: await compose(), idleTimeout: 50 })
    const calm = await serve({ composer: await compose() })
    const headers = { 'content-length': '11', 'upload-checksum': sha1('hello world') }
    const stalled = openPatch(await createUpload(site), 0, headers)
    stalled.request.write('hello')
    const stopped = openPatch(await createUpload(calm), 0, headers)
    stopped.request.write('hello')
    const replies = [await stalled.reply]
    await calm.handler.shutdown()
    replies.push(await stopped.reply)
    expect(
      replies.map(({ status, headers, text }) => [status, headers['upload-offset'], text]),
    ).toEqual([
      [503, '0', 'ERR_BODY_STALLED: No data came for too long; resume from the current offset\n'],
      [503, '0', 'ERR_SERVER_SHUTDOWN: The server is shutting down; resume or try again later\n'],
    ])
  })

  test('T-136 a mismatch on the last chunk does not finish the upload', async () => {
    const finished: string[] = []
    const site = await serve({
      composer: await compose(),
      hooks: { preFinish: ({ upload }) => void finished.push(upload.id) },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hellO', { 'upload-checksum': sha1('hello') })).status).toBe(460)
    expect((await head(url)).headers['upload-offset']).toBe('0')
    expect(finished).toEqual([])
    expect((await patch(url, 0, 'hello', { 'upload-checksum': sha1('hello') })).status).toBe(204)
    expect(finished).toHaveLength(1)
  })

  test('T-137 a mismatch on a creation gets a Location and leaves the offset at 0', async () => {
    const site = await serve({ composer: await compose() })
    const headers = { 'upload-length': '5', 'upload-checksum': sha1('hello') }
    const reply = await post(site, headers, 'hellO')
    expect([reply.status, reply.statusMessage]).toEqual([460, 'Checksum Mismatch'])
    expect(reply.headers['upload-offset']).toBe('0')
    const url = new URL(reply.headers.location!, site.origin).href
    expect((await head(url)).headers['upload-offset']).toBe('0')
    expect((await patch(url, 0, 'hello', { 'upload-checksum': sha1('hello') })).status).toBe(204)
    expect(await download(url)).toBe('hello')
  })

  test('T-141 a checksum covers the body of its own request, after transfer decoding', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site)
    const chunked = { 'transfer-encoding': 'chunked' }
    const first = await patch(url, 0, 'hello', { ...chunked, 'upload-checksum': sha1('hello') })
    expect(first.status).toBe(204)
    const whole = await patch(url, 5, ' world', { 'upload-checksum': sha1('hello world') })
    expect(whole.status).toBe(460)
    const own = await patch(url, 5, ' world', { 'upload-checksum': sha1(' world') })
    expect(own.status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-131 the checksum of an empty body is verified too', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, '', { 'upload-checksum': sha1('x') })).status).toBe(460)
    expect((await patch(url, 0, '', { 'upload-checksum': sha1('') })).status).toBe(204)
  })
})

test('T-132 an unsupported algorithm gets 400 before the body is read', async () => {
  const site = await serve()
  const url = await createUpload(site)
  for (const name of ['rot13', 'SHA1', 'sha-1', 'constructor']) {
    const digest = createHash('sha1').update('hello').digest('base64')
    // The client never sends a byte of the body.
    const { request, reply } = openPatch(url, 0, {
      'content-length': '5',
      'upload-checksum': `${name} ${digest}`,
    })
    const { status, text } = await reply
    request.destroy()
    expect([name, status, text.split(':', 1)[0]]).toEqual([name, 400, 'ERR_UNSUPPORTED_CHECKSUM'])
  }
  expect((await head(url)).headers['upload-offset']).toBe('0')
  const created = await post(
    site,
    { 'upload-length': '5', 'upload-checksum': 'rot13 eA==' },
    'hello',
  )
  expect(created.status).toBe(400)
  expect(created.headers).not.toHaveProperty('location')
})

test('T-140 a checksum is refused when the extension is disabled', async () => {
  const site = await serve({ disable: ['checksum'] })
  const url = await createUpload(site, { 'upload-length': '5' })
  const replies = [
    await patch(url, 0, 'hello', { 'upload-checksum': sha1('hello') }),
    await patch(url, 0, 'hello', { trailer: 'Upload-Checksum' }),
    await post(site, { 'upload-length': '5', 'upload-checksum': sha1('hello') }, 'hello'),
    await post(site, { 'upload-length': '5', 'upload-checksum': sha1('') }),
  ]
  for (const { status, text } of replies) {
    expect([status, text.split(':', 1)[0]]).toEqual([400, 'ERR_EXTENSION_DISABLED'])
  }
  expect((await head(url)).headers['upload-offset']).toBe('0')
  const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
  expect(headers['tus-extension']).not.toContain('checksum')
  expect(headers).not.toHaveProperty('tus-checksum-algorithm')
})
