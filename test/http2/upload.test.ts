import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import http2, { type OutgoingHttpHeaders } from 'node:http2'
import https from 'node:https'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler } from 'tuskit'
import { chunk, memoryComposer, tus } from '../support/serve.js'
import {
  createOverHttp2,
  offsetOverHttp2,
  openStream,
  patchHead,
  sendHttp2,
  serveUploads,
  transports,
  trust,
} from '../support/serve-http2.js'

const sha1 = (text: string) => `sha1 ${createHash('sha1').update(text).digest('base64')}`

test('the handler is a listener of every server of Node', () => {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
  const servers = [
    http.createServer(handler),
    https.createServer(handler),
    https.createServer({}, handler),
    http2.createServer(handler),
    http2.createSecureServer({ allowHTTP1: true }, handler),
  ]
  expect(servers.map((server) => server.listeners('request'))).toEqual(servers.map(() => [handler]))
})

test.each(transports)('a body needs no Content-Length, $transport', async ({ secure }) => {
  const { session } = await serveUploads({ expiration: { after: 3_600_000 } }, secure)
  const path = await createOverHttp2({ session }, 11)
  for (const [offset, body] of [
    [0, 'hello'],
    [5, ' world'],
  ] as const) {
    const { status, headers } = await sendHttp2(session, patchHead(path, offset), body)
    expect([status, headers['upload-offset']]).toEqual([204, String(offset + body.length)])
  }
  const { text } = await sendHttp2(session, { ':path': path })
  expect(text).toBe('hello world')
})

test.each(transports)('an upload works as over HTTP/1.1, $transport', async ({ secure }) => {
  const warnings: Error[] = []
  const warn = (warning: Error) => void warnings.push(warning)
  process.on('warning', warn)
  onTestFinished(() => void process.off('warning', warn))
  const { session, origin } = await serveUploads({ location: 'absolute', cors: true }, secure)
  const ask = (method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: string) =>
    sendHttp2(session, { ':method': method, ':path': path, ...tus, ...headers }, body)

  const options = await ask('OPTIONS', '/files')
  expect(options).toMatchObject({ status: 200, headers: { 'tus-version': '1.0.0' } })
  const created = await ask('POST', '/files', { ...chunk, 'upload-length': '11' }, 'hello')
  expect(created).toMatchObject({ status: 201, headers: { 'upload-offset': '5' } })
  const location = new URL(created.headers.location!)
  expect(location.origin).toBe(origin.replace('127.0.0.1', 'localhost'))
  const path = location.pathname
  const wrong = { 'upload-checksum': sha1('other') }
  expect(await sendHttp2(session, patchHead(path, 5, wrong), ' world')).toMatchObject({
    status: 460,
  })
  expect(await offsetOverHttp2(session, path)).toBe(5)
  expect(await sendHttp2(session, patchHead(path, 0), 'x')).toMatchObject({ status: 409 })
  const right = { 'upload-checksum': sha1(' world'), 'content-length': 6 }
  expect(await sendHttp2(session, patchHead(path, 5, right), ' world')).toMatchObject({
    status: 204,
    headers: { 'upload-offset': '11', 'tus-resumable': '1.0.0' },
  })
  const part = await ask('GET', path, { range: 'bytes=6-' })
  expect(part).toMatchObject({ status: 206, text: 'world' })
  expect(part.headers['content-range']).toBe('bytes 6-10/11')
  expect((await ask('HEAD', path)).headers['upload-length']).toBe('11')
  expect((await ask('DELETE', path)).status).toBe(204)
  expect((await ask('HEAD', path)).status).toBe(404)
  expect(warnings).toEqual([])
})

test('an HTTP/2 server accepts uploads over HTTP/1.1, too', async () => {
  const { port, session } = await serveUploads({}, true)
  const ask = async (method: string, path: string, headers: OutgoingHttpHeaders, body = '') => {
    const request = https.request({ port, method, path, headers, agent: false, ...trust })
    request.end(body)
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(response.httpVersion).toBe('1.1')
    let text = ''
    for await (const piece of response) text += String(piece)
    return { status: response.statusCode, headers: response.headers, text }
  }
  const created = await ask('POST', '/files', { ...tus, 'upload-length': '11' })
  const path = created.headers.location!
  const half = await ask('PATCH', path, { ...chunk, 'upload-offset': '0' }, 'hello')
  expect([half.status, half.headers['upload-offset']]).toEqual([204, '5'])
  expect((await sendHttp2(session, patchHead(path, 5), ' world')).status).toBe(204)
  expect(await ask('GET', path, {})).toMatchObject({ status: 200, text: 'hello world' })
})

test('a checksum in a trailer is verified', async () => {
  const { session } = await serveUploads()
  const trailed = async (path: string, body: string, checksum: string) => {
    const head = patchHead(path, 0, { trailer: 'Upload-Checksum' })
    const stream = session.request(head, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'upload-checksum': checksum }))
    stream.end(body)
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    stream.resume()
    return [headers[':status'], await offsetOverHttp2(session, path)]
  }
  for (let i = 0; i < 20; i++) {
    const path = await createOverHttp2({ session }, 5)
    expect(await trailed(path, 'hello', sha1('other'))).toEqual([460, 0])
    expect(await trailed(path, 'hello', sha1('hello'))).toEqual([204, 5])
  }
})

test.each(transports)('Expect: 100-continue gets a 100, $transport', async ({ secure }) => {
  const { session, server } = await serveUploads({}, secure)
  const path = await createOverHttp2({ session }, 5)
  const ask = async (offset: number) => {
    const { stream } = openStream(
      session,
      patchHead(path, offset, { expect: '100-continue', 'content-length': 5 }),
    )
    let continued = false
    stream.on('continue', () => {
      continued = true
      stream.end('hello')
    })
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    return [continued, headers[':status']]
  }
  expect(await ask(0)).toEqual([true, 204])
  // With this listener, the body is requested only once the request will be accepted.
  server.on('checkContinue', server.listeners('request')[0] as () => void)
  expect(await ask(0)).toEqual([false, 409])
  const other = await createOverHttp2({ session }, 5)
  const { stream, reply } = openStream(session, patchHead(other, 0, { expect: '100-continue' }))
  await once(stream, 'continue')
  stream.end('hello')
  expect((await reply).status).toBe(204)
})
