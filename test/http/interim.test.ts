import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createUploadServer } from 'tuskit'
import { BufferBudget } from '../../src/http/buffer-budget.js'
import { HttpExchange } from '../../src/http/http-exchange.js'
import { sendInterim } from '../../src/http/interim.js'
import { listen, sendRaw } from '../support/serve.js'
import { connectHttp2, openStream, serveHttp2, transports } from '../support/serve-http2.js'

type Listener = (exchange: HttpExchange) => unknown

const bodyOptions = {
  budget: new BufferBudget(65_536, 65_536),
  idleTimeout: 60_000,
  overridesMethod: true,
}

const progress = (offset: number) => ({ 'Upload-Offset': String(offset) })
const final = (text: string) =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`

function respond({ response }: HttpExchange, text: string): void {
  response.sendDate = false
  response.writeHead(200, { 'Content-Length': text.length }).end(text)
}

/** A server without any settings, which responds to `Expect: 100-continue` itself. */
async function serve(listener: Listener, make = http.createServer): Promise<number> {
  const server = make((request: IncomingMessage, response: ServerResponse) => {
    void listener(new HttpExchange(request, response, bodyOptions))
  })
  const port = await listen(server)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return port
}

test('a client gets each interim response before the final one', async () => {
  const port = await serve((exchange) => {
    expect(sendInterim(exchange, 104, { Location: '/files/a' })).toBe(true)
    expect(sendInterim(exchange, 104, progress(5))).toBe(true)
    respond(exchange, 'done')
  })
  const interims: unknown[] = []
  const request = http.get({ port, agent: false })
  request.on('information', ({ statusCode, statusMessage, headers }) =>
    interims.push([statusCode, statusMessage, headers]),
  )
  const response = await new Promise<IncomingMessage>((resolve) => request.on('response', resolve))
  expect(response.statusCode).toBe(200)
  response.resume()
  const phrase = 'Upload Resumption Supported'
  expect(interims).toEqual([
    [104, phrase, { location: '/files/a' }],
    [104, phrase, { 'upload-offset': '5' }],
  ])
})

test('an interim response is a status line and its headers, and nothing else', async () => {
  const port = await serve((exchange) => {
    sendInterim(exchange, 104, { Location: '/files/\xe9', ...progress(5) })
    sendInterim(exchange, 199, {})
    respond(exchange, 'done')
  })
  const interim =
    'HTTP/1.1 104 Upload Resumption Supported\r\nLocation: /files/\xe9\r\nUpload-Offset: 5\r\n\r\n' +
    'HTTP/1.1 199 Unknown\r\n\r\n'
  const received = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(received).toBe(interim + final('done'))
})

test('an HTTP/1.0 client gets no interim response', async () => {
  const sent: boolean[] = []
  const port = await serve((exchange) => {
    sent.push(sendInterim(exchange, 104, progress(5)))
    respond(exchange, 'done')
  })
  expect(await sendRaw(port, 'GET / HTTP/1.0\r\n\r\n')).toBe(final('done'))
  expect(sent).toEqual([false])
})

test('a request that waits behind another one gets no interim response until its turn', async () => {
  const sent: boolean[] = []
  const waiting: HttpExchange[] = []
  const port = await serve(async (exchange) => {
    waiting.push(exchange)
    if (waiting.length < 2) return
    const [first, second] = waiting as [HttpExchange, HttpExchange]
    sent.push(sendInterim(second, 104, progress(2)), sendInterim(first, 104, progress(1)))
    respond(first, 'first')
    await second.turn
    sent.push(sendInterim(second, 104, progress(2)))
    respond(second, 'second')
  })
  const get = 'GET / HTTP/1.1\r\nHost: a\r\n'
  const received = await sendRaw(port, `${get}\r\n${get}Connection: close\r\n\r\n`)
  expect(sent).toEqual([false, true, true])
  const interim = (offset: number) =>
    `HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Offset: ${offset}\r\n\r\n`
  expect(received.replace(/(Connection: keep-alive|Keep-Alive: .*)\r\n/g, '')).toBe(
    interim(1) + final('first').replace('Connection: close\r\n', '') + interim(2) + final('second'),
  )
})

test('no interim response is sent after the final head, or after the end of the response', async () => {
  const sent: boolean[] = []
  const port = await serve(async (exchange) => {
    exchange.response.sendDate = false
    exchange.response.writeHead(200, { 'Content-Length': 4 })
    sent.push(sendInterim(exchange, 104, progress(1)))
    exchange.response.write('do')
    sent.push(sendInterim(exchange, 104, progress(2)))
    exchange.response.end('ne')
    await exchange.responded
    sent.push(sendInterim(exchange, 104, progress(3)))
  })
  const received = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(received).toBe(final('done'))
  expect(sent).toEqual([false, false, false])
})

test('no interim response is sent once the client is gone', async () => {
  const gone = new Promise<boolean>((resolve) => {
    void serve(async (exchange) => {
      exchange.request.on('error', () => {})
      await exchange.responded
      resolve(sendInterim(exchange, 104, progress(1)))
    }).then((port) => {
      const client = connect(port, '127.0.0.1')
      client.write('PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello', () =>
        client.resetAndDestroy(),
      )
    })
  })
  expect(await gone).toBe(false)
})

test('a client that does not read gets no more', async () => {
  const arrived = new Promise<HttpExchange>((resolve) => {
    void serve(resolve).then((port) => {
      const client = connect(port, '127.0.0.1').pause()
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      onTestFinished(() => void client.destroy())
    })
  })
  const exchange = await arrived
  const large = { 'X-Large': 'x'.repeat(60_000) }
  let sent = 0
  while (sendInterim(exchange, 104, large)) sent++
  expect(exchange.response.socket!.writableLength).toBeLessThan(200_000)
  expect(sent).toBeGreaterThan(0)
})

test('a header that would inject another one is refused, and the response continues', async () => {
  const sent: boolean[] = []
  const port = await serve((exchange) => {
    sent.push(
      sendInterim(exchange, 104, { Location: '/a\r\nSet-Cookie: b' }),
      sendInterim(exchange, 104, { 'Location: /a\r\nSet-Cookie': 'b' }),
      sendInterim(exchange, 104, { Location: '/\u010d' }),
    )
    respond(exchange, 'done')
  })
  const received = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(received).toBe(final('done'))
  expect(sent).toEqual([false, false, false])
})

const put =
  'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n'
const interim104 = 'HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Offset: 0\r\n\r\n'
const proceed = 'HTTP/1.1 100 Continue\r\n\r\n'

const takeBody: Listener = async (exchange) => {
  sendInterim(exchange, 104, progress(0))
  let text = ''
  for await (const batch of exchange.body) text += Buffer.concat(batch).toString()
  respond(exchange, text)
}

test.each([
  ['after it, when Node responds by itself', proceed + interim104, http.createServer],
  ['before it, when the body is requested later', interim104 + proceed, createUploadServer],
] as const)('Expect: 100-continue gets a 100 in addition to a 104: %s', async (_, first, make) => {
  const port = await serve(takeBody, make as typeof http.createServer)
  const client = connect(port, '127.0.0.1')
  let received = ''
  client.on('data', (piece) => {
    received += piece.toString('latin1')
    // The client sends its body only after the 100.
    if (received === first) client.write('hello')
  })
  client.write(put)
  await new Promise((resolve) => client.on('close', resolve))
  expect(received).toBe(first + final('hello'))
})

test('writeInformation is used where Node has it', async () => {
  const calls: unknown[] = []
  const sent: boolean[] = []
  const port = await serve((exchange) => {
    // Newer versions of Node have it; the fake replaces theirs.
    const fake = { writeInformation: (...given: unknown[]) => void calls.push(given) }
    Object.assign(exchange.response, fake)
    sent.push(sendInterim(exchange, 104, progress(5)))
    sent.push(sendInterim(exchange, 104, { Location: 'a\r\nb' }))
    const failing = () => {
      throw new Error('ERR_HTTP_HEADERS_SENT')
    }
    Object.assign(exchange.response, { writeInformation: failing })
    sent.push(sendInterim(exchange, 104, progress(6)))
    respond(exchange, 'done')
  })
  const received = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(received).toBe(final('done'))
  expect(calls).toEqual([[104, { 'Upload-Offset': '5' }]])
  expect(sent).toEqual([true, false, false])
})

test.each(transports)('over HTTP/2, $transport', async ({ secure }) => {
  const sent: boolean[] = []
  const site = await serveHttp2(async (request, response) => {
    const exchange = new HttpExchange(request, response, bodyOptions)
    sent.push(sendInterim(exchange, 104, { Location: '/files/a' }))
    sent.push(sendInterim(exchange, 104, { Location: 'a\r\nb' }))
    sent.push(sendInterim(exchange, 104, progress(5)))
    respond(exchange, 'done')
    sent.push(sendInterim(exchange, 104, progress(6)))
    await exchange.responded
    sent.push(sendInterim(exchange, 104, progress(7)))
  }, secure)
  const interims: unknown[] = []
  const { stream, reply } = openStream(connectHttp2(site), { ':path': '/' })
  stream.on('headers', (headers) => interims.push(Object.entries(headers)))
  stream.end()
  expect(await reply).toMatchObject({ status: 200, text: 'done' })
  expect(interims).toEqual([
    Object.entries({ ':status': 104, location: '/files/a' }),
    Object.entries({ ':status': 104, 'upload-offset': '5' }),
  ])
  expect(sent).toEqual([true, false, true, false, false])
})

test('over HTTP/2 no interim response is sent once the stream is reset', async () => {
  let report!: (sent: boolean) => void
  const sent = new Promise<boolean>((resolve) => (report = resolve))
  const site = await serveHttp2(async (request, response) => {
    const exchange = new HttpExchange(request, response, bodyOptions)
    stream.destroy()
    await exchange.responded
    report(sendInterim(exchange, 104, progress(1)))
  })
  const { stream } = openStream(connectHttp2(site), { ':path': '/' })
  expect(await sent).toBe(false)
})
