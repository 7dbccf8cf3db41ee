import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, createServer, type HandlerOptions } from 'tuskit'
import { listen, memoryComposer, sendRaw, serve, until } from '../serve.js'

const long = `Upload-Metadata: a ${'A'.repeat(200_000)}\r\n`

async function overflow(options: Partial<HandlerOptions>, before = '', after = '') {
  const { port } = await serve(options)
  return sendRaw(port, `POST /files HTTP/1.1\r\nHost: a\r\n${before}${long}${after}\r\n`)
}

describe('headers that are too large', () => {
  test('are answered 431 with a code and a sentence', async () => {
    const reply = await overflow({})
    expect(reply).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/)
    expect(reply).toMatch(/\r\nconnection: close\r\n/i)
    expect(reply).toMatch(/\r\n\r\nERR_HEADERS_TOO_LARGE: .+\n$/)
    expect(reply).not.toMatch(/access-control/i)
  })

  test('can be read by pages of all origins when these are allowed', async () => {
    const reply = await overflow({ cors: true })
    expect(reply).toMatch(/\r\naccess-control-allow-origin: \*\r\n/)
  })

  test('can be read by an allowed origin that is in the part of the head that was read last', async () => {
    const cors = { origins: 'https://example.org', credentials: true }
    const { port, server } = await serve({ cors })
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const socket = connect(port, '127.0.0.1')
    const reply = text(socket)
    const first = `POST /files HTTP/1.1\r\nHost: a\r\nUpload-Metadata: a ${'A'.repeat(50_000)}\r\n`
    socket.write(first)
    const [served] = await accepted
    await until(
      async () => served.bytesRead,
      (bytes) => bytes === first.length,
    )
    // Node hands over what it read last.
    socket.write(`X: y\r\nOrigin: https://example.org\r\nX: ${'A'.repeat(20_000)}\r\n\r\n`)
    expect(await reply).toMatch(/^HTTP\/1\.1 431 [^]*allow-origin: https:\/\/example\.org\r\n/)
    const foreign = await overflow({ cors }, 'Origin: https://example.com\r\n')
    expect(foreign).not.toMatch(/access-control/i)
  })

  test('are answered likewise by an application that the handler is mounted in', async () => {
    const handler = createHandler({ basePath: '/files', composer: memoryComposer(), cors: true })
    const application: RequestListener = (request, response) => void handler(request, response)
    const server = createServer(application, { handler })
    onTestFinished(() => server.stop())
    const reply = await sendRaw(await listen(server), `GET / HTTP/1.1\r\nHost: a\r\n${long}\r\n`)
    expect(reply).toMatch(/^HTTP\/1\.1 431 [^]*allow-origin: \*[^]*ERR_HEADERS_TOO_LARGE/)
  })
})

test('a request that is malformed is answered as Node does', async () => {
  const { port } = await serve()
  const own = http.createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void own.close())
  const ownPort = await listen(own)
  for (const bytes of ['nonsense\r\n\r\n', 'GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n']) {
    const [ours, theirs] = await Promise.all([sendRaw(port, bytes), sendRaw(ownPort, bytes)])
    expect(ours.toLowerCase()).toBe(theirs.toLowerCase())
    expect(ours).toMatch(/^HTTP\/1\.1 400 /)
  }
})

test('a clientError listener of the application replaces this', async () => {
  const { port, server } = await serve()
  server.on('clientError', (_, socket) => socket.end('HTTP/1.1 418 Own\r\n\r\n'))
  expect(await sendRaw(port, 'nonsense\r\n\r\n')).toBe('HTTP/1.1 418 Own\r\n\r\n')
})
