import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, createUploadServer, type HandlerOptions } from 'tuskit'
import { listen, memoryComposer, sendRaw, serve, until, type Site } from '../support/serve.js'

const long = `Upload-Metadata: a ${'A'.repeat(200_000)}\r\n`

/** Sends the parts one after the other, each after the server has read the previous one. */
async function sendParts(
  { port, server }: Pick<Site, 'port' | 'server'>,
  parts: readonly string[],
): Promise<string> {
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const pieces: Buffer[] = []
  socket.on('data', (piece) => pieces.push(piece))
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const [served] = await accepted
  let sent = 0
  for (const part of parts) {
    await until(
      async () => served.bytesRead,
      (bytes) => bytes === sent,
    )
    socket.write(part)
    sent += part.length
  }
  await closed
  return Buffer.concat(pieces).toString('latin1')
}

async function overflow(options: Partial<HandlerOptions>, before = '', after = '') {
  const { port } = await serve(options)
  return sendRaw(port, `POST /files HTTP/1.1\r\nHost: a\r\n${before}${long}${after}\r\n`)
}

describe('headers that are too large', () => {
  test('get 431 with a code and a sentence', async () => {
    const reply = await overflow({})
    expect(reply).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/)
    expect(reply).toMatch(/\r\nconnection: close\r\n/i)
    expect(reply).toMatch(/\r\n\r\nERR_HEADERS_TOO_LARGE: .+\n$/)
    expect(reply).not.toMatch(/access-control/i)
  })

  test('are readable for pages of all origins when these are allowed', async () => {
    const reply = await overflow({ cors: true })
    expect(reply).toMatch(/\r\naccess-control-allow-origin: \*\r\n/)
  })

  test('are readable for an allowed origin in the part of the head that was read last', async () => {
    const cors = { origins: 'https://example.org', credentials: true }
    const site = await serve({ cors })
    const first = `POST /files HTTP/1.1\r\nHost: a\r\nUpload-Metadata: a ${'A'.repeat(50_000)}\r\n`
    // Node passes on the part that it read last.
    const second = `X: y\r\nOrigin: https://example.org\r\nX: ${'A'.repeat(20_000)}\r\n\r\n`
    const reply = await sendParts(site, [first, second])
    expect(reply).toMatch(/^HTTP\/1\.1 431 [^]*allow-origin: https:\/\/example\.org\r\n/)
    const foreign = await overflow({ cors }, 'Origin: https://example.com\r\n')
    expect(foreign).not.toMatch(/access-control/i)
  })

  test('get a response even if the function that allows origins fails, and the server continues', async () => {
    const cors = { origins: (origin: string) => new URL(origin).hostname === 'example.org' }
    const reply = await overflow({ cors }, '', 'Origin: nonsense\r\n')
    const site = await serve({ cors })
    const first = `POST /files HTTP/1.1\r\nHost: a\r\nX: ${'A'.repeat(50_000)}\r\n`
    const second = `X: y\r\nOrigin: nonsense\r\nX: ${'A'.repeat(20_000)}\r\n\r\n`
    for (const text of [reply, await sendParts(site, [first, second])]) {
      expect(text).toMatch(/^HTTP\/1\.1 431 [^]*ERR_HEADERS_TOO_LARGE/)
      expect(text).not.toMatch(/access-control/i)
    }
  })

  test('do not block the event loop, with any Origin', async () => {
    const site = await serve({ cors: { origins: 'https://example.org' } })
    const first = `POST /files HTTP/1.1\r\nHost: a\r\nX: ${'A'.repeat(50_000)}\r\n`
    const second = `X: y\r\nOrigin:${' '.repeat(30_000)}${'a '.repeat(15_000)}`
    expect(await sendParts(site, [first, second])).toMatch(/^HTTP\/1\.1 431 /)
  })

  test.each([
    ['', `GET /next HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['Expect: 100-continue\r\n', ''],
  ])('never get a response in the middle of another one (%j, %j)', async (headers, next) => {
    const application: RequestListener = (request, response) => {
      if (request.url === '/next') return
      response.writeHead(200, { 'content-length': '1000' }).write('begun')
    }
    const server = createUploadServer(application)
    onTestFinished(() => server.stop({ timeout: 1 }))
    const site = { port: await listen(server), server }
    const first = `GET / HTTP/1.1\r\nHost: a\r\n${headers}\r\n${next}`
    const reply = await sendParts(site, [first, `GET / HTTP/1.1\r\nHost: a\r\n${long}\r\n`])
    expect(reply).not.toMatch(/431|ERR_/)
  })

  test('get the same response from an application that the handler is mounted in', async () => {
    const handler = createHandler({ basePath: '/files', composer: memoryComposer(), cors: true })
    const application: RequestListener = (request, response) => void handler(request, response)
    const server = createUploadServer(application, { handler })
    onTestFinished(() => server.stop())
    const reply = await sendRaw(await listen(server), `GET / HTTP/1.1\r\nHost: a\r\n${long}\r\n`)
    expect(reply).toMatch(/^HTTP\/1\.1 431 [^]*allow-origin: \*[^]*ERR_HEADERS_TOO_LARGE/)
  })
})

test('a malformed request gets the response of Node', async () => {
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

test('a clientError listener of the application replaces this one', async () => {
  const { port, server } = await serve()
  server.on('clientError', (_, socket) => socket.end('HTTP/1.1 418 Own\r\n\r\n'))
  expect(await sendRaw(port, 'nonsense\r\n\r\n')).toBe('HTTP/1.1 418 Own\r\n\r\n')
})
