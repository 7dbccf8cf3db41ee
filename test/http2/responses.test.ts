import { once } from 'node:events'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { TusError } from 'tuskit'
import { memoryComposer, tus } from '../support/serve.js'
import {
  createOverHttp2,
  offsetOverHttp2,
  openStream,
  patchHead,
  sendHttp2,
  serveUploads,
  transports,
} from '../support/serve-http2.js'
import { keptLog } from '../support/stages.js'

const patient = { idleTimeout: 60_000, takeoverAfter: 60_000 }

/** Returns the warnings of the process from now on. */
function warnings(): Error[] {
  const seen: Error[] = []
  const see = (warning: Error) => void seen.push(warning)
  process.on('warning', see)
  onTestFinished(() => void process.off('warning', see))
  return seen
}

test('HEAD that is handled as GET has no body and is not a failure', async () => {
  const logger = keptLog()
  const { session } = await serveUploads({ logger })
  const path = await createOverHttp2({ session }, 5)
  await sendHttp2(session, patchHead(path, 0), 'hello')
  const override = { 'x-http-method-override': 'GET' }
  const reply = await sendHttp2(session, { ':method': 'HEAD', ':path': path, ...override })
  expect([reply.status, reply.headers['content-length'], reply.text]).toEqual([200, '5', ''])
  expect(logger.lines).toEqual([])
})

test.each(transports)('a refusal arrives during the body, $transport', async ({ secure }) => {
  const { session, server } = await serveUploads({}, secure)
  const path = await createOverHttp2({ session }, 100_000_000)
  const arrived = once(server, 'stream')
  const head = patchHead(path, 5, { 'content-length': 100_000_000 })
  const { stream, reply } = openStream(session, head)
  let sent = 0
  const piece = Buffer.alloc(65_536)
  const more = () => {
    sent += piece.length
    if (!stream.closed) stream.write(piece, more)
  }
  more()
  const [served] = (await arrived) as [ServerHttp2Stream]
  const closed = once(served, 'close')
  const { status, text } = await reply
  expect([status, text]).toEqual([409, expect.stringContaining('ERR_OFFSET_MISMATCH')])
  await closed
  // The client learns that it should stop, but gets no error, since it has its response.
  expect(stream.rstCode).toBe(0)
  expect(sent).toBeLessThan(20_000_000)
  expect(await offsetOverHttp2(session, path)).toBe(0)
})

test('a request is over after its response, even if its client never ends the body', async () => {
  const cases = [
    [404, patchHead('/files/none', 0)],
    [404, { ':method': 'HEAD', ':path': '/files/none', ...tus }],
    [404, { ':method': 'GET', ':path': '/files/none', 'content-length': 100 }],
    [200, { ':method': 'OPTIONS', ':path': '/files' }],
    [204, { ':method': 'DELETE', ':path': '/files/some', ...tus }],
  ] as const
  const responses = cases.map(async ([, head]) => {
    const { session, server } = await serveUploads({ generateId: () => 'some' })
    await createOverHttp2({ session }, 10)
    const arrived = once(server, 'stream')
    const { reply } = openStream(session, head)
    const [served] = (await arrived) as [ServerHttp2Stream]
    await once(served, 'close')
    return [(await reply).status, served.rstCode]
  })
  expect(await Promise.all(responses)).toEqual(cases.map(([status]) => [status, 0]))
})

test('a client that sends the rest of a small body is not reset', async () => {
  const { session } = await serveUploads()
  const { stream } = openStream(session, patchHead('/files/none', 0, { 'content-length': 10 }))
  await once(stream, 'response')
  stream.resume()
  let aborted = false
  stream.on('aborted', () => (aborted = true))
  stream.end('helloworld')
  await once(stream, 'close')
  expect([stream.rstCode, aborted]).toEqual([0, false])
})

test('no header about the connection is sent, and Node does not warn', async () => {
  const seen = warnings()
  const connection = { connection: 'close', 'transfer-encoding': 'chunked' }
  const hooks = { preCreate: () => ({ reject: { status: 402, headers: connection, body: 'pay' } }) }
  const { session } = await serveUploads({ idleTimeout: 20, hooks })
  const head = { ':method': 'POST', ':path': '/files', ...tus, 'upload-length': '5' }
  const rejected = await sendHttp2(session, head)
  expect([rejected.status, rejected.text]).toEqual([402, 'pay'])
  expect(rejected.headers).not.toHaveProperty('connection')
  const other = await serveUploads({ idleTimeout: 20 })
  const { stream } = openStream(
    other.session,
    patchHead(await createOverHttp2(other, 10), 0, { 'content-length': 10 }),
  )
  stream.write('hello')
  const [stalled] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  expect(stalled[':status']).toBe(503)
  expect(stalled).not.toHaveProperty('connection')
  expect(seen).toEqual([])
})

test.each([
  { headers: { 'x-b\xe9': 'a' } },
  { headers: { 'x-bad': 'a\r\nset-cookie: b' } },
  { headers: { ':path': '/' } },
  { status: 99 },
  { status: 1_000 },
])('an error of the application with an invalid response becomes 500: %j', async (given) => {
  const access = () => {
    const response = { status: 403, headers: {}, body: 'no', ...given }
    throw new TusError('ERR_ACCESS_DENIED', { response })
  }
  const { session } = await serveUploads({ hooks: { access }, logger: keptLog() })
  const head = { ':method': 'POST', ':path': '/files', ...tus, 'upload-length': '5' }
  const { status, headers } = await sendHttp2(session, head)
  expect([status, headers['x-bad']]).toEqual([500, undefined])
  expect(headers['cache-control']).toBe('no-store')
})

test('a rejection with a status that allows no content has none', async () => {
  const hooks = { preCreate: () => ({ reject: { status: 205, body: 'pay' } }) }
  const { session } = await serveUploads({ hooks })
  const head = { ':method': 'POST', ':path': '/files', ...tus, 'upload-length': '5' }
  expect(await sendHttp2(session, head)).toMatchObject({ status: 205, text: '' })
})

/** Serves a finished upload of 5 MB with the content that `content` returns. */
async function serveContent(content: () => Readable, secure = false) {
  const composer = memoryComposer()
  composer.useContentReader({ read: async () => content() })
  const logger = keptLog()
  const site = await serveUploads({ composer, logger }, secure)
  const path = await createOverHttp2(site, 5_000_000)
  const { status } = await sendHttp2(site.session, patchHead(path, 0), Buffer.alloc(5_000_000))
  expect(status).toBe(204)
  return { ...site, path, logger }
}

/** Content that comes as fast as the client reads, and a count of the bytes read. */
function endless() {
  let read = 0
  const content = new Readable({
    read() {
      read += 65_536
      this.push(Buffer.alloc(65_536))
    },
  })
  return { content, read: () => read }
}

test.each(transports)('a client that leaves ends its download, $transport', async ({ secure }) => {
  const { content } = endless()
  const { session, path, logger } = await serveContent(() => content, secure)
  const { stream } = openStream(session, { ':path': path })
  await once(stream, 'data')
  const closed = new Promise((resolve) => content.once('close', resolve))
  stream.close()
  await closed
  expect(logger.lines).toEqual([])
})

test('the server does not read ahead for a slow client', async () => {
  const { content, read } = endless()
  const { session, path } = await serveContent(() => content)
  const stream = session.request({ ':path': path })
  stream.on('error', () => {})
  await once(stream, 'response')
  // These come after the bytes that fit in the window.
  for (let i = 0; i < 10; i++) await offsetOverHttp2(session, path)
  expect(read()).toBeLessThan(1_000_000)
  stream.close()
})

test('a store that fails during a download causes a reset', async () => {
  const failing = () =>
    new Readable({
      read() {
        this.push('hello')
        this.once('data', () => this.destroy(new Error('EIO')))
      },
    })
  const { session, path, logger } = await serveContent(failing)
  await expect(sendHttp2(session, { ':path': path })).rejects.toMatchObject({
    code: 'ERR_HTTP2_STREAM_ERROR',
  })
  expect(logger.lines).toMatchObject([{ level: 'error', message: 'A download failed' }])
})

test('shutdown responds to open streams, keeps what arrived and sends clients elsewhere', async () => {
  const seen = warnings()
  const composer = memoryComposer()
  const site = await serveUploads({ ...patient, composer })
  const path = await createOverHttp2(site, 10)
  const { stream, reply } = openStream(site.session, patchHead(path, 0, { 'content-length': 10 }))
  stream.write('hello')
  while ((await offsetOverHttp2(site.session, path)) < 5);
  const goodbye = once(site.session, 'goaway')
  const closed = new Promise((resolve) => site.server.close(resolve))
  const sessionClosed = once(site.session, 'close')
  await site.handler.shutdown()
  const { status, headers } = await reply
  expect([status, headers['upload-offset']]).toEqual([503, '5'])
  expect((await goodbye)[0]).toBe(0)
  // Nothing keeps the server open.
  await sessionClosed
  await closed
  expect(seen).toEqual([])
  const next = await serveUploads({ composer })
  expect(await offsetOverHttp2(next.session, path)).toBe(5)
})
