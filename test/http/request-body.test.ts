import { randomBytes } from 'node:crypto'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { BufferBudget } from '../../src/http/buffer-budget.js'
import { RequestBody } from '../../src/http/request-body.js'
import { listen } from '../support/serve.js'

interface Arrived {
  readonly body: RequestBody
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A client that writes arbitrary bytes, and the body that the server makes of them. */
async function connect(
  head: string,
  idleTimeout = 60_000,
  budget = new BufferBudget(65_536, 65_536),
) {
  let arrive!: (arrived: Arrived) => void
  const arrived = new Promise<Arrived>((resolve) => (arrive = resolve))
  const server = http.createServer((request, response) => {
    const body = new RequestBody(request, { budget, idleTimeout }, () => {})
    arrive({ body, request, response })
  })
  const port = await listen(server)
  const client = net.connect(port, '127.0.0.1')
  client.on('error', () => {})
  onTestFinished(() => {
    client.destroy()
    server.closeAllConnections()
    server.close()
  })
  client.write(`PATCH / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`)
  return { client, ...(await arrived) }
}

async function collect(body: RequestBody): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return Buffer.concat(pieces)
}

test('a complete body ends as complete', async () => {
  const { client, body } = await connect('Content-Length: 5')
  client.write('hello')
  expect(body.size).toBe(5)
  expect((await collect(body)).toString()).toBe('hello')
  expect(await body.ended).toBe('complete')
})

test('a request without a body has size 0, and one of unknown size has none', async () => {
  const { body } = await connect('X-None: 1')
  expect(body.size).toBe(0)
  expect((await collect(body)).length).toBe(0)
  const chunked = await connect('Transfer-Encoding: chunked')
  expect(chunked.body.size).toBeUndefined()
})

test('a client that vanishes ends the body, and a slow store gets every byte that was read', async () => {
  const { client, body, request } = await connect('Content-Length: 10000000')
  const sent = randomBytes(200_000)
  client.write(sent)
  const iterator = body[Symbol.asyncIterator]()
  const first = await iterator.next()
  // The store is busy now. The next bytes were gathered meanwhile, or waited in Node's stream.
  await new Promise<void>((resolve) => request.once('pause', resolve))
  client.resetAndDestroy()
  const pieces: Buffer[] = [...(first.value as readonly Buffer[])]
  for (;;) {
    const next = await iterator.next()
    if (next.done) break
    pieces.push(...next.value)
  }
  const received = Buffer.concat(pieces)
  expect(await body.ended).toBe('disconnected')
  expect(received.length).toBe(request.socket.bytesRead - headBytes(request))
  expect(received.equals(sent.subarray(0, received.length))).toBe(true)
})

/** The head of the request, as sent. */
function headBytes(request: IncomingMessage): number {
  const lines = request.rawHeaders.length / 2
  const text = request.rawHeaders.reduce((sum, part) => sum + part.length, 0)
  return 'PATCH / HTTP/1.1\r\n'.length + text + lines * ': \r\n'.length + '\r\n'.length
}

test('a client that sends nothing for too long ends the body as stalled', async () => {
  const { client, body } = await connect('Content-Length: 10', 50)
  client.write('hello')
  expect((await collect(body)).toString()).toBe('hello')
  expect(await body.ended).toBe('stalled')
})

test('the stall clock does not run while the store is busy', async () => {
  const { client, body } = await connect('Content-Length: 10', 50)
  client.write('hello')
  const iterator = body[Symbol.asyncIterator]()
  await iterator.next()
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(body.idleTime()).toBe(0)
  client.write('world')
  expect(Buffer.concat((await iterator.next()).value as readonly Buffer[]).toString()).toBe('world')
  expect((await iterator.next()).done).toBe(true)
  expect(await body.ended).toBe('complete')
})

test('a stopped body delivers what arrived, accepts no more, and does not cut the connection', async () => {
  const { client, body, response } = await connect('Content-Length: 10')
  client.write('hello')
  const iterator = body[Symbol.asyncIterator]()
  await iterator.next()
  body.stop('shutdown')
  expect((await iterator.next()).done).toBe(true)
  expect(await body.ended).toBe('shutdown')
  response.end('response')
  const [data] = await new Promise<Buffer[]>((resolve) => client.once('data', (d) => resolve([d])))
  expect(data!.toString()).toContain('response')
})

test('a released body cuts the connection before it returns', async () => {
  const { client, body, request } = await connect('Content-Length: 10')
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const iterator = body[Symbol.asyncIterator]()
  const next = iterator.next()
  body.stop('released')
  expect(request.socket.destroyed).toBe(true)
  expect((await next).done).toBe(true)
  expect(await body.ended).toBe('released')
  await closed
})

test('the bytes are available as a stream, too', async () => {
  const { client, body } = await connect('Transfer-Encoding: chunked')
  client.write('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')
  const pieces: Buffer[] = []
  for await (const piece of body.readable()) pieces.push(piece)
  expect(Buffer.concat(pieces).toString()).toBe('hello world')
})

test('a client is paused when its share is used up, and continues when the store reads', async () => {
  const { client, body, request } = await connect('Content-Length: 20000000')
  const data = Buffer.alloc(20_000_000, 'x')
  client.write(data)
  const iterator = body[Symbol.asyncIterator]()
  let received = Buffer.concat((await iterator.next()).value as readonly Buffer[]).length
  await new Promise<void>((resolve) => request.once('pause', resolve))
  const waiting = request.socket.bytesRead
  // One share, and the bytes that Node reads ahead: far less than the client would like to send.
  expect(waiting).toBeLessThan(1_000_000)
  for (;;) {
    const next = await iterator.next()
    if (next.done) break
    received += next.value.reduce((sum, buffer) => sum + buffer.length, 0)
  }
  expect(received).toBe(data.length)
})

test('an iteration that was ended stays ended, and later bytes are not passed to it', async () => {
  const { client, body } = await connect('Content-Length: 10')
  client.write('hello')
  const iterator = body[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.return?.()
  client.write('world')
  expect((await iterator.next()).done).toBe(true)
})

test('batches that are requested before the first has arrived come in order', async () => {
  const { client, body } = await connect('Content-Length: 5')
  const iterator = body[Symbol.asyncIterator]()
  const requested = [iterator.next(), iterator.next()]
  client.write('hello')
  await body.ended
  // The order of their ends cannot differ: a pending one would still be open when the body ends.
  const last = iterator.next()
  expect((await last).done).toBe(true)
  const open = Symbol('open')
  const outcomes = await Promise.all(requested.map((next) => Promise.race([next, after(open)])))
  expect(outcomes.map((outcome) => outcome === open || outcome.done)).toEqual([false, true])
})

/** Resolves after everything that is due now. */
function after<Value>(value: Value): Promise<Value> {
  return new Promise((resolve) => setImmediate(resolve, value))
}

test('ending an iteration leaves the budget to the others', async () => {
  const budget = new BufferBudget(1_000_000, 400_000)
  const { client, body } = await connect('Content-Length: 10', 60_000, budget)
  const others = [{}, {}]
  others.forEach((other) => budget.add(other))
  client.write('hello')
  for await (const _ of body) {
    expect(budget.share).toBeLessThan(150_000)
    break
  }
  expect(budget.share).toBe(200_000)
})
