import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { head, patch, send, sendRaw, tus } from '../support/serve.js'
import {
  abusedServer,
  responsesIn,
  chunkLines,
  expectBack,
  expectReason,
  newUpload,
  openSocket,
  requestText,
  write,
} from './abused-server.js'

const server = abusedServer()
const last = 'Connection: close'

const url = (path: string) => `${server.origin}${path}`
const offset = async (path: string) => (await head(url(path))).headers['upload-offset']
const statuses = (text: string) => responsesIn(text).map(({ status }) => status)

function patchText(path: string, body: string, lines: readonly string[] = []): string {
  return (
    requestText('PATCH', path, [...chunkLines, `Content-Length: ${body.length}`, ...lines]) + body
  )
}

describe('bodies', () => {
  test('of 100,000 chunks of one byte are ordinary', async () => {
    const path = await newUpload(server, 100_000)
    const before = await server.measure()
    const lines = [...chunkLines, 'Transfer-Encoding: chunked', last]
    const body = '1\r\nx\r\n'.repeat(100_000)
    const text = await sendRaw(server.port, `${requestText('PATCH', path, lines)}${body}0\r\n\r\n`)
    expect(statuses(text)).toEqual([204])
    const { body: content } = await send({ method: 'GET', url: url(path) })
    expect(content.equals(Buffer.alloc(100_000, 'x'))).toBe(true)
    await expectBack(server, before)
  })

  // Node responds to an unreadable request as soon as it sees it, and closes the connection.
  const doneOr400 = [[400], [204, 400]]

  test('longer than announced leave an unreadable second request', async () => {
    const path = await newUpload(server, 100)
    const text = await sendRaw(server.port, `${patchText(path, 'hello')}world\r\n\r\n`)
    expect(doneOr400).toContainEqual(statuses(text))
    await expect.poll(() => offset(path)).toBe('5')
  })

  test('followed by garbage are unharmed', async () => {
    const path = await newUpload(server, 5)
    const text = await sendRaw(server.port, `${patchText(path, 'hello')}\0\x01\x02garbage\r\n\r\n`)
    expect(doneOr400).toContainEqual(statuses(text))
    await expect.poll(() => offset(path)).toBe('5')
  })

  test('with contradictory or impossible lengths are refused', async () => {
    const path = await newUpload(server, 100)
    for (const lines of [
      ['Content-Length: 5', 'Content-Length: 6'],
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['Content-Length: -5'],
      ['Content-Length: 5, 5'],
      [`Content-Length: ${'9'.repeat(30)}`],
      ['Transfer-Encoding: chunked, identity'],
    ]) {
      const request = requestText('PATCH', path, [...chunkLines, ...lines, last])
      const [response] = responsesIn(await sendRaw(server.port, `${request}hello`))
      expect([lines, response!.status]).toEqual([lines, 400])
      expectReason(response!)
    }
    expect(await offset(path)).toBe('0')
  })

  test('of broken or invalid chunks end at the last valid byte', async () => {
    for (const broken of ['zz\r\n', 'ffffffffffffffffffff\r\n', '5\r\nhelloworld', '\0\0\0\0']) {
      const path = await newUpload(server, 100)
      const request = requestText('PATCH', path, [...chunkLines, 'Transfer-Encoding: chunked'])
      const text = await sendRaw(server.port, `${request}5\r\nhello\r\n${broken}`)
      expect(statuses(text)).toEqual([400])
      await expect.poll(() => offset(path)).toMatch(/^(5|10)$/)
    }
  })
})

describe('requests', () => {
  test('sent without waiting get their responses in order', async () => {
    const path = await newUpload(server, 500)
    const heads = requestText('HEAD', path).repeat(200)
    const refused = requestText('GET', '/files/..').repeat(50)
    const text = await sendRaw(server.port, heads + refused + requestText('HEAD', path, [last]))
    const expected = [...Array(200).fill(200), ...Array(50).fill(404), 200]
    expect(statuses(text)).toEqual(expected)
  })

  test('sent without waiting on a connection that is cut leave nothing behind', async () => {
    const before = await server.measure()
    const path = await newUpload(server, 500)
    const socket = await openSocket(server)
    const flood = requestText('HEAD', path).repeat(100) + patchText(path, 'hello')
    await write(socket, flood.repeat(20))
    await once(socket, 'data')
    socket.resetAndDestroy()
    await expectBack(server, before)
  })

  test('of HTTP/1.0 work, and get no interim response', async () => {
    const path = await newUpload(server, 5)
    const expectation = ['Expect: 100-continue']
    const text = await sendRaw(
      server.port,
      patchText(path, 'hello', expectation).replace('HTTP/1.1', 'HTTP/1.0'),
    )
    expect(statuses(text)).toEqual([204])
    const got = await sendRaw(server.port, `GET ${path} HTTP/1.0\r\n\r\n`)
    expect(responsesIn(got)).toMatchObject([{ status: 200, body: 'hello' }])
  })

  test('that are not HTTP are refused', async () => {
    for (const garbage of [
      ...['\0\0\0\0\r\n\r\n', 'hello\r\n\r\n', 'GET\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\r\n'],
      ...[
        'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
        'GET /files HTTP/1.1\r\n\r\n',
        'BREW / HTTP/1.1\r\n\r\n',
      ],
      ...[
        'GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n',
        'GET /files/\xff\x00 HTTP/1.1\r\n\r\n',
      ],
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ]) {
      const [response] = responsesIn(await sendRaw(server.port, Buffer.from(garbage, 'latin1')))
      expect([garbage, response!.status]).toEqual([garbage, 400])
    }
  })
})

describe('expectations', () => {
  test('get 100 Continue once the request will be accepted, and not before a refusal', async () => {
    const path = await newUpload(server, 5)
    const expectation = ['Expect: 100-continue', last]
    const wrong = patchText(path, 'x', expectation).replace('Upload-Offset: 0', 'Upload-Offset: 3')
    expect(statuses(await sendRaw(server.port, wrong))).toEqual([409])
    const right = patchText(path, 'hello', expectation)
    expect(statuses(await sendRaw(server.port, right))).toEqual([100, 204])
    // Node leaves this one to the handler, too.
    const among = patchText(await newUpload(server, 5), 'hello', ['Expect: x, 100-continue', last])
    expect(statuses(await sendRaw(server.port, among))).toEqual([100, 204])
  })

  test('of unknown kinds fail', async () => {
    const path = await newUpload(server, 5)
    for (const expected of ['200-ok', 'x', '\xe9']) {
      const text = await sendRaw(
        server.port,
        Buffer.from(patchText(path, 'hello', [`Expect: ${expected}`, last]), 'latin1'),
      )
      expect(statuses(text)).toEqual([417])
    }
    expect(await offset(path)).toBe('0')
  })
})

describe('connections', () => {
  test('reset at any byte of a request leave nothing behind', async () => {
    const before = await server.measure()
    const path = await newUpload(server, 1_000_000)
    for (const lines of [[], ['Upload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=']]) {
      const whole = patchText(path, 'hello'.repeat(20), lines)
      for (let sent = 0; sent < whole.length; sent += 9) {
        const socket = await openSocket(server)
        await write(socket, whole.slice(0, sent))
        if (sent % 2 === 0) socket.resetAndDestroy()
        else socket.end()
      }
    }
    await expectBack(server, before)
    // The next one continues where the last one stopped.
    const at = Number(await offset(path))
    expect((await patch(url(path), at, 'hello')).status).toBe(204)
  })

  test('reset at any stage of a response leave nothing behind', async () => {
    const path = await newUpload(server, 4_000_000)
    expect((await patch(url(path), 0, Buffer.alloc(4_000_000))).status).toBe(204)
    const before = await server.measure()
    for (let stage = 0; stage < 12; stage++) {
      const socket = await openSocket(server)
      await write(socket, requestText('GET', path))
      for (let reads = 0; reads < stage; reads++) await once(socket, 'data')
      socket.resetAndDestroy()
    }
    await expectBack(server, before)
  })

  test('whose clients never read use little memory, and none afterwards', async () => {
    const path = await newUpload(server, 8_000_000)
    expect((await patch(url(path), 0, Buffer.alloc(8_000_000))).status).toBe(204)
    const before = await server.measure()
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(server)))
    for (const socket of sockets) {
      await write(socket, requestText('GET', path))
      await once(socket, 'readable')
    }
    // Of the 8 MB, each may use as much memory as a stream and a socket buffer.
    const { rss } = await server.measure()
    expect(rss - before.rss).toBeLessThan(64_000_000)
    expect((await head(url(path), tus)).status).toBe(200)
    for (const socket of sockets) socket.destroy()
    await expectBack(server, before)
  })

  test('half closed by the client end', async () => {
    const before = await server.measure()
    const path = await newUpload(server, 100)
    for (const text of [
      '',
      'PATCH',
      requestText('HEAD', path),
      patchText(path, 'hello'),
      patchText(path, 'hello').slice(0, -2),
    ]) {
      const socket = await openSocket(server)
      socket.resume()
      const closed = once(socket, 'close')
      await write(socket, text)
      socket.end()
      await closed
    }
    await expectBack(server, before)
    expect(Number(await offset(path))).toBeGreaterThan(0)
  })
})
