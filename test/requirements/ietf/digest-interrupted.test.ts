import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, serve, stores, until, type Sent, type Site } from '../../support/serve.js'
import { connectHttp2, openStream, serveHttp2 } from '../../support/serve-http2.js'
import { countReceived } from '../../support/stages.js'
import { digest } from './digest-fields.js'
import { chunked, draft9, draftOf, type Version, versions } from './draft.js'
import { silent } from '../../support/silent.js'

const { NGHTTP2_CANCEL } = http2.constants

const claim = { 'content-digest': digest(' world') }
const trailer = { ...chunked, trailer: 'Content-Digest' }
const chunks = '6\r\n world\r\n'

/** Where a body of " world" is cut, after all of its bytes or all but the last. */
const cuts = [
  { where: 'in a sized body', fields: { ...claim, 'content-length': '6' }, sent: ' worl' },
  { where: 'in a chunk', fields: { ...claim, ...chunked }, sent: chunks.slice(0, -3) },
  { where: 'after all chunks', fields: { ...claim, ...chunked }, sent: chunks },
  { where: 'in the last chunk', fields: { ...claim, ...chunked }, sent: `${chunks}0\r\n` },
  { where: 'before the trailer', fields: trailer, sent: `${chunks}0\r\n` },
  {
    where: 'after the trailer',
    fields: trailer,
    sent: `${chunks}0\r\nContent-Digest: ${digest(' world')}\r\n`,
  },
]

const losses: readonly { readonly by: string; readonly lose: (socket: Socket) => void }[] = [
  { by: 'FIN', lose: (socket) => void socket.end() },
  { by: 'RST', lose: (socket) => void socket.resetAndDestroy() },
]

/** Returns a request as sent, with the bytes of its body that arrive. */
function wire({ method, url, headers }: Sent, body: string): string {
  const lines = Object.entries({ host: 'a', ...headers }).map((line) => line.join(': '))
  return `${method} ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

/** Sends the beginning of a request, and resolves when the server has read it. */
async function arrived(
  site: Site,
  bytes: string,
): Promise<{ socket: Socket; closed: Promise<void> }> {
  const received = countReceived(site)
  const socket = connect(site.port, '127.0.0.1').on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.resume().write(bytes)
  await until(received, (count) => count >= bytes.length)
  return { socket, closed }
}

describe.each(stores)('a body with a Content-Digest ($store store)', ({ compose }) => {
  /** Starts a server, and records the uploads that are created and finished there. */
  async function site(options: Partial<HandlerOptions> = {}) {
    const ids: string[] = []
    const finished: string[] = []
    const at = await serve({
      composer: await compose(),
      logger: silent,
      takeoverAfter: 60_000,
      ...options,
      hooks: {
        postCreate: ({ upload }) => void ids.push(upload.id),
        preFinish: ({ upload }) => void finished.push(upload.id),
      },
    })
    return { ...at, ids, finished }
  }

  /** Asserts that only these bytes count, and that the upload continues from there. */
  async function expectOnly(url: string, version: Version, stored: string): Promise<void> {
    const draft = draftOf(version)
    const offset = stored.length
    const state = await draft.stateOf(url)
    expect(state).toMatchObject({ 'upload-offset': String(offset), ...draft.more })
    // Other bytes, without a digest, because nothing else would reveal leftovers of the old ones.
    expect((await draft.append(url, offset, ' w', draft.more)).status).toBeLessThan(300)
    const says = { ...draft.end, 'content-digest': digest('ORLD') }
    const reply = await draft.append(url, offset + 2, 'ORLD', says)
    expect(reply.headers).toMatchObject({ 'upload-offset': String(offset + 6), ...draft.end })
    expect(await download(url)).toBe(`${stored} wORLD`)
  }

  const lost = losses.flatMap((loss) => cuts.map((cut) => ({ ...loss, ...cut })))
  test.each(lost)(
    'R-130 no byte counts of an append that is cut $where by $by',
    async ({ fields, sent, lose }) => {
      for (const version of versions) {
        const draft = draftOf(version)
        const at = await site()
        const url = await draft.started(at, 'hello')
        const request = draft.appending(url, 5, '', { ...draft.end, ...fields })
        const { socket, closed } = await arrived(at, wire(request, sent))
        lose(socket)
        await closed
        await expectOnly(url, version, 'hello')
        expect(at.finished).toHaveLength(1)
      }
    },
  )

  test.each(lost)(
    'R-130 no byte counts of a creation that is cut $where by $by',
    async ({ fields, sent, lose }) => {
      for (const version of versions) {
        const draft = draftOf(version)
        const at = await site()
        const request = draft.creation(at, '', { ...draft.end, ...fields })
        const { socket, closed } = await arrived(at, wire(request, sent))
        await until(
          async () => at.ids.length,
          (count) => count === 1,
        )
        lose(socket)
        await closed
        await expectOnly(`${at.origin}/files/${at.ids[0]}`, version, '')
        expect(at.finished).toHaveLength(1)
      }
    },
  )

  test.each(cuts)(
    'R-130 no byte counts in progress, nor when HEAD, GET or PATCH take over, cut $where',
    async ({ fields, sent }) => {
      for (const method of ['HEAD', 'GET', 'PATCH'] as const) {
        const at = await site()
        const url = await draft9.started(at, 'hello')
        const request = draft9.appending(url, 5, '', { ...draft9.end, ...fields })
        const { closed } = await arrived(at, wire(request, sent))
        const inspected = await at.handler.uploads.inspect(url.split('/').at(-1)!)
        expect([inspected.offset, inspected.finished]).toEqual([5, false])
        const reply =
          method === 'PATCH'
            ? await draft9.append(url, 6, 'x', draft9.more)
            : await draft9.ask(method, url)
        expect(reply.headers).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
        await closed
        await expectOnly(url, 9, 'hello')
        expect(at.finished).toHaveLength(1)
      }
    },
  )

  test('R-130 no byte counts of a body that stalls', async () => {
    const at = await site({ idleTimeout: 20 })
    const url = await draft9.started(at, 'hello')
    const fields = { ...draft9.end, ...claim, 'content-length': '6' }
    const { closed } = await arrived(at, wire(draft9.appending(url, 5, '', fields), ' worl'))
    await closed
    await expectOnly(url, 9, 'hello')
  })

  test('R-130 no byte counts when the server stops before the end of the body', async () => {
    const composer = await compose()
    const at = await site({ composer })
    const url = await draft9.started(at, 'hello')
    const fields = { ...draft9.end, ...claim, ...chunked }
    const { closed } = await arrived(at, wire(draft9.appending(url, 5, '', fields), chunks))
    await at.server.stop({ timeout: 1_000 })
    await closed
    const next = await serve({ composer })
    await expectOnly(url.replace(at.origin, next.origin), 9, 'hello')
  })

  const resets = [
    { size: 'known', fields: { 'content-length': '6' }, body: ' worl' },
    { size: 'unknown', fields: { 'content-length': undefined }, body: ' world' },
  ].flatMap((body) =>
    [
      { reset: 'stream', lose: (stream: http2.ClientHttp2Stream) => stream.close(NGHTTP2_CANCEL) },
      {
        reset: 'session',
        lose: (stream: http2.ClientHttp2Stream) => stream.session!.destroy(),
      },
    ].map((way) => ({ ...body, ...way })),
  )
  test.each(resets)(
    'R-130 no byte counts when the $reset is reset over HTTP/2, size $size',
    async ({ fields, body, lose }) => {
      const at = await site()
      const url = await draft9.started(at, 'hello')
      const { headers } = draft9.appending(url, 5, '', { ...draft9.end, ...claim, ...fields })
      const session = connectHttp2(await serveHttp2(at.handler as never))
      const pseudo = { ':method': 'PATCH', ':path': new URL(url).pathname }
      const { stream, reply } = openStream(session, { ...pseudo, ...headers })
      await new Promise((resolve) => stream.write(body, resolve))
      // The response to a PING comes when everything before it has arrived.
      await new Promise((resolve) => session.ping(resolve))
      lose(stream)
      await expect(reply).rejects.toThrow()
      await expectOnly(url, 9, 'hello')
      expect(at.finished).toHaveLength(1)
    },
  )
})
