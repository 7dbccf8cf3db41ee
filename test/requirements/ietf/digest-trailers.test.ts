import type { OutgoingHttpHeaders } from 'node:http'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { download, send, sendRaw, serve, stores, type Site } from '../../support/serve.js'
import { connectHttp2, serveHttp2, type Http2Reply } from '../../support/serve-http2.js'
import { algorithms, digest, digestProblem } from './digest-fields.js'
import { chunked, draft9, draftOf, type Fields, problemIn, versions } from './draft.js'

interface Request {
  readonly method: string
  readonly url: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Buffer
}

/** Sends a body of unknown size, followed by these trailers. */
type Send = (request: Request, trailers?: Record<string, string>) => Promise<Http2Reply>

const transports: readonly { transport: string; over: (site: Site) => Promise<Send> }[] = [
  {
    transport: 'HTTP/1.1',
    over:
      async () =>
      (request, trailers = {}) =>
        send({ ...request, trailers }),
  },
  {
    transport: 'HTTP/2',
    over: async ({ handler }) => {
      const session = connectHttp2(await serveHttp2(handler as never))
      return async ({ method, url, headers, body }, trailers) => {
        const { 'transfer-encoding': _, ...rest } = headers ?? {}
        const pseudo = { ':method': method, ':path': new URL(url).pathname }
        const waitForTrailers = trailers !== undefined
        const stream = session.request(
          { ...pseudo, ...rest },
          { endStream: false, waitForTrailers },
        )
        if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers))
        stream.end(body)
        const pieces: Buffer[] = []
        stream.on('data', (piece: Buffer) => pieces.push(piece))
        const [got] = (await once(stream, 'response')) as [Http2Reply['headers']]
        await once(stream, 'close')
        return {
          status: Number(got[':status']),
          headers: got,
          text: Buffer.concat(pieces).toString(),
        }
      }
    },
  },
]

const announced = { ...chunked, trailer: 'Content-Digest' }
const trailer = (value: string) => ({ 'content-digest': value })

const cases = transports.flatMap((transport) => stores.map((store) => ({ ...transport, ...store })))

describe.each(cases)('a Content-Digest in a trailer ($transport, $store store)', (chosen) => {
  /** Creates an upload of 5 bytes. `nothingCounts` asserts that an append to it added nothing. */
  async function begun(version = 9) {
    const draft = draftOf(version)
    const site = await serve({ composer: await chosen.compose() })
    const sent = await chosen.over(site)
    const url = await draft.started(site, 'hello')
    const append = (body: string, fields: Fields, trailers?: Record<string, string>) =>
      sent(draft.appending(url, 5, body, fields), trailers)
    const nothingCounts = async ({ status, headers }: Http2Reply) => {
      expect([status, headers['upload-complete']]).toEqual([400, '?0'])
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
    }
    return { site, sent, url, append, nothingCounts }
  }

  test.each(algorithms)('R-130 R-133 %s is verified', async (algorithm) => {
    const { url, append, nothingCounts } = await begun()
    const claim = trailer(digest(' world', algorithm))
    const wrong = await append(' worlD', { ...draft9.end, ...announced }, claim)
    await nothingCounts(wrong)
    expect(JSON.parse(wrong.text)).toMatchObject({
      type: `${digestProblem}mismatched-values`,
      mismatched_digests: [{ algorithm, header: 'Content-Digest' }],
    })
    const right = await append(' world', { ...draft9.end, ...announced }, claim)
    expect([right.status, right.headers['upload-offset']]).toEqual([201, '11'])
    expect(await download(url)).toBe('hello world')
  })

  test('R-130 nothing counts when one of several differs', async () => {
    const { append, nothingCounts } = await begun()
    for (const differs of algorithms) {
      const claims = algorithms.map((name) => digest(name === differs ? 'other' : ' world', name))
      await nothingCounts(
        await append(' world', { ...draft9.end, ...announced }, trailer(claims.join(', '))),
      )
    }
    const claims = algorithms.map((name) => digest(' world', name)).join(', ')
    expect((await append(' world', { ...draft9.end, ...announced }, trailer(claims))).status).toBe(
      201,
    )
  })

  test('R-130 the trailer of a creation is verified, in every version', async () => {
    const site = await serve({ composer: await chosen.compose() })
    const sent = await chosen.over(site)
    for (const version of versions) {
      const draft = draftOf(version)
      const create = (body: string) => {
        const fields = { ...draft.end, ...announced, 'content-length': undefined }
        return sent(draft.creation(site, body, fields), trailer(digest('hello')))
      }
      const wrong = await create('hellO')
      expect([version, wrong.status]).toEqual([version, 400])
      expect(wrong.headers).toMatchObject({ 'upload-offset': '0', ...draft.more })
      const url = new URL(String(wrong.headers.location), site.origin).href
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '0', ...draft.more })
      const right = await create('hello')
      expect([version, right.status]).toEqual([version, 201])
      expect(right.headers).toMatchObject({ 'upload-offset': '5', ...draft.end })
    }
  })

  test('R-130 an empty append whose trailer differs completes nothing', async () => {
    const { append, nothingCounts } = await begun()
    await nothingCounts(await append('', { ...draft9.end, ...announced }, trailer(digest('hello'))))
    const right = await append('', { ...draft9.end, ...announced }, trailer(digest('')))
    expect([right.status, right.headers['upload-complete']]).toEqual([201, '?1'])
  })

  test('R-130 an announced trailer that does not come gets 400, and nothing counts', async () => {
    const { append, nothingCounts } = await begun()
    for (const says of [draft9.end, draft9.more]) {
      await nothingCounts(await append(' world', { ...says, ...announced }))
      await nothingCounts(await append(' world', { ...says, ...announced }, { 'x-other': 'a' }))
      const header = { 'content-digest': digest(' world') }
      await nothingCounts(await append(' world', { ...says, ...announced, ...header }))
    }
    expect((await append(' world', { ...draft9.end, ...chunked })).status).toBe(201)
  })

  test('R-130 a trailer that was not announced is ignored', async () => {
    const { url, append } = await begun()
    const reply = await append(' world', { ...draft9.end, ...chunked }, trailer(digest('other')))
    expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
    expect(await download(url)).toBe('hello world')
  })

  test('R-130 a trailer that was not announced does not affect the header', async () => {
    const { append, nothingCounts } = await begun()
    const header = { ...chunked, 'content-digest': digest(' world') }
    await nothingCounts(
      await append('other!', { ...draft9.end, ...header }, trailer(digest('other!'))),
    )
    const right = await append(' world', { ...draft9.end, ...header }, trailer(digest('other')))
    expect(right.status).toBe(201)
  })

  test('R-130 the trailer is found among others, whatever the case of its name', async () => {
    const { append, nothingCounts } = await begun()
    const fields = { ...draft9.end, ...announced, trailer: 'X-Other, content-DIGEST' }
    await nothingCounts(await append(' worlD', fields, trailer(digest(' world'))))
    const others = { 'x-other': 'a', ...trailer(digest(' world')) }
    expect((await append(' world', fields, others)).status).toBe(201)
  })

  test('R-133 R-134 a trailer that cannot be verified gets 400, and nothing counts', async () => {
    const { append, nothingCounts } = await begun()
    for (const [value, type] of [
      ['crc32c=:AAAAAA==:', 'unsupported-algorithms'],
      ['sha-256=:AAAA:', 'invalid-values'],
      ['sha-256=1', 'invalid-values'],
      [`${digest(' world')}, md5=:AAAA:`, 'invalid-values'],
    ] as const) {
      const reply = await append(' world', { ...draft9.end, ...announced }, trailer(value))
      await nothingCounts(reply)
      expect(JSON.parse(reply.text)).toMatchObject({ type: digestProblem + type })
    }
    for (const value of ['???', digest(' world').toUpperCase()]) {
      await nothingCounts(await append(' world', { ...draft9.end, ...announced }, trailer(value)))
    }
  })

  test('R-130 both are verified when the header has one too', async () => {
    const pairs = [
      ['sha-256', 'sha-512'],
      ['md5', 'sha-256'],
    ] as const
    for (const [first, second] of pairs) {
      const { append, nothingCounts } = await begun()
      const both = (inHeader: string, inTrailer: string) => {
        const header = { 'content-digest': digest(inHeader, first) }
        const fields = { ...draft9.end, ...announced, ...header }
        return append(' world', fields, trailer(digest(inTrailer, second)))
      }
      await nothingCounts(await both('other', ' world'))
      await nothingCounts(await both(' world', 'other'))
      await nothingCounts(await both('other', 'other'))
      expect((await both(' world', ' world')).status).toBe(201)
    }
  })

  test.each(algorithms)(
    'R-130 both are verified when the header has one too, both of %s',
    async (algorithm) => {
      const { append, nothingCounts } = await begun()
      const both = (inHeader: string, inTrailer: string) => {
        const header = { 'content-digest': digest(inHeader, algorithm) }
        const fields = { ...draft9.end, ...announced, ...header }
        return append(' world', fields, trailer(digest(inTrailer, algorithm)))
      }
      await nothingCounts(await both('other', ' world'))
      await nothingCounts(await both(' world', 'other'))
      await nothingCounts(await both('other', 'other'))
      const right = await both(' world', ' world')
      expect([right.status, right.headers['upload-complete']]).toEqual([201, '?1'])
    },
  )
})

test('R-130 a trailer announced with a body of known size gets 400', async () => {
  const site = await serve()
  const url = await draft9.started(site, 'hello')
  const { headers } = draft9.appending(url, 5, ' world', {
    ...draft9.end,
    trailer: 'Content-Digest',
  })
  const lines = Object.entries({ host: 'a', connection: 'close', ...headers }).map((line) =>
    line.join(': '),
  )
  const head = `PATCH ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}`
  const response = await sendRaw(site.port, `${head}\r\n\r\n world`)
  expect(response).toMatch(/^HTTP\/1\.1 400 /)
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
})

test('R-134 the problem names the trailer that differs, and not the header', async () => {
  const url = await draft9.started(await serve(), 'hello')
  const header = { 'content-digest': digest(' world') }
  const request = draft9.appending(url, 5, ' world', { ...draft9.end, ...announced, ...header })
  const reply = await send({ ...request, trailers: trailer(digest('other', 'md5')) })
  expect(problemIn(reply).mismatched_digests).toEqual([
    {
      algorithm: 'md5',
      provided_digest: digest('other', 'md5').slice(4),
      header: 'Content-Digest',
    },
  ])
})
