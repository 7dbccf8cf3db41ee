import http2, { type OutgoingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler, type Handler } from 'tuskit'
import { chunk, memoryComposer, tus } from '../serve.js'

async function connect() {
  const handler: Handler = createHandler({
    basePath: '/files',
    composer: memoryComposer(),
    expiration: { after: 3_600_000 },
  })
  const server = http2.createServer((request, response) => {
    // The compatibility API differs from that of HTTP/1 in its types only.
    void handler(...([request, response] as unknown as Parameters<Handler>))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  return (headers: OutgoingHttpHeaders, body?: string) =>
    new Promise<{ headers: http2.IncomingHttpHeaders; text: string }>((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === undefined })
      let got: http2.IncomingHttpHeaders = {}
      let text = ''
      stream.on('response', (head) => (got = head))
      stream.on('data', (piece: Buffer) => (text += piece.toString()))
      stream.on('error', reject)
      stream.on('end', () => resolve({ headers: got, text }))
      if (body !== undefined) stream.end(body)
    })
}

test('a body over HTTP/2 needs no Content-Length', async () => {
  const ask = await connect()
  const created = await ask({ ...tus, ':method': 'POST', ':path': '/files', 'upload-length': '11' })
  expect(created.headers[':status']).toBe(201)
  const path = created.headers.location!
  for (const [offset, body] of [
    [0, 'hello'],
    [5, ' world'],
  ] as const) {
    const patch = { ...chunk, ':method': 'PATCH', ':path': path, 'upload-offset': String(offset) }
    const { headers } = await ask(patch, body)
    const stored = String(offset + body.length)
    expect([headers[':status'], headers['upload-offset']]).toEqual([204, stored])
  }
  const { text } = await ask({ ':method': 'GET', ':path': path })
  expect(text).toBe('hello world')
})
