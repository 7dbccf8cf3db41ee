import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { BufferBudget } from '../../src/http/buffer-budget.js'
import { RequestBody } from '../../src/http/request-body.js'
import { connectHttp2, openStream, serveHttp2 } from '../support/serve-http2.js'

const canceller = fileURLToPath(new URL('../programs/cancel-streams.mjs', import.meta.url))
const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants

interface Arrived {
  readonly body: RequestBody
  readonly request: Http2ServerRequest
  readonly response: Http2ServerResponse
}

/** A server that returns the body of each request. */
async function serveBodies(arrive: (arrived: Arrived) => void, idleTimeout = 60_000) {
  const budget = new BufferBudget(65_536, 65_536)
  return serveHttp2((request, response) => {
    // The types of the compatibility API differ.
    const message = request as unknown as IncomingMessage
    const body = new RequestBody(message, { budget, idleTimeout }, () => {})
    arrive({ body, request, response })
  })
}

/** A client during a body, and the body that the server makes of it. */
async function connect(headers: Record<string, string>, idleTimeout?: number) {
  let arrive!: (arrived: Arrived) => void
  const arrived = new Promise<Arrived>((resolve) => (arrive = resolve))
  const site = await serveBodies((next) => arrive(next), idleTimeout)
  const session = connectHttp2(site)
  const open = () => openStream(session, { ':method': 'PATCH', ':path': '/', ...headers }).stream
  const stream = open()
  const another = async () => {
    const next = new Promise<Arrived>((resolve) => (arrive = resolve))
    return { stream: open(), ...(await next) }
  }
  return { session, stream, another, ...(await arrived) }
}

async function collect(body: RequestBody): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return Buffer.concat(pieces)
}

/** Resolves when the server has read that many bytes of the stream. */
async function arrival({ request }: Pick<Arrived, 'request'>, bytes: number): Promise<void> {
  // No event reports bytes that are not requested. The window shows them, because they fill it.
  const { stream } = request
  while (stream.readableLength < bytes) await new Promise((resolve) => setImmediate(resolve))
}

const sizes = [
  { size: 'a known size', headers: { 'content-length': '5' }, expected: 5 },
  { size: 'an unknown size', headers: {}, expected: undefined },
]

describe.each(sizes)('a body of $size', ({ headers, expected }) => {
  test('ends as complete when the client ends it', async () => {
    const { stream, body } = await connect(headers)
    stream.end('hello')
    expect(body.size).toBe(expected)
    expect((await collect(body)).toString()).toBe('hello')
    expect(await body.ended).toBe('complete')
  })

  test.each(['close', 'destroy', 'error'] as const)(
    'is never complete when the client resets the stream: %s',
    async (way) => {
      const ends = new Set<string>()
      const first = await connect(headers)
      for (let i = 0; i < 50; i++) {
        const { stream, body } = i === 0 ? first : await first.another()
        stream.on('error', () => {})
        // Less than its size, if it has one.
        stream.write('hell')
        const iterator = body[Symbol.asyncIterator]()
        await iterator.next()
        if (way === 'close') stream.close(NGHTTP2_CANCEL)
        else if (way === 'destroy') stream.destroy()
        else stream.destroy(new Error('mine'))
        expect((await iterator.next()).done).toBe(true)
        ends.add(await body.ended)
      }
      expect([...ends]).toEqual(['disconnected'])
    },
  )

  test('is never complete when the client resets the stream after its GOAWAY', async () => {
    const { session, stream, body } = await connect(headers)
    stream.write('hell')
    const iterator = body[Symbol.asyncIterator]()
    await iterator.next()
    session.close()
    stream.on('error', () => {}).close(NGHTTP2_CANCEL)
    expect((await iterator.next()).done).toBe(true)
    expect(await body.ended).toBe('disconnected')
  })

  test('is never complete when the session breaks', async () => {
    const { session, stream, body } = await connect(headers)
    stream.on('error', () => {})
    stream.write('hell')
    const iterator = body[Symbol.asyncIterator]()
    await iterator.next()
    session.destroy()
    expect((await iterator.next()).done).toBe(true)
    expect(await body.ended).toBe('disconnected')
  })
})

test.each([
  ['a known size', '1000000'],
  ['an unknown size', ''],
])('a process that cancels a body of %s never makes it complete', async (_, length) => {
  const ends: Promise<string>[] = []
  const site = await serveBodies(({ body, response }) => {
    ends.push(body.ended)
    void collect(body)
    response.writeHead(200)
  })
  await promisify(execFile)(process.execPath, [canceller, site.origin, '100', '60000', length])
  expect(await Promise.all(ends)).toEqual(Array<string>(100).fill('disconnected'))
})

test('a request without a body has size 0 and is complete', async () => {
  const site = await serveBodies(async ({ body, response }) => {
    response.end(JSON.stringify([body.size, (await collect(body)).length, await body.ended]))
  })
  const stream = connectHttp2(site).request(
    { ':method': 'POST', ':path': '/' },
    { endStream: true },
  )
  const [piece] = (await once(stream, 'data')) as [Buffer]
  expect(piece.toString()).toBe('[0,0,"complete"]')
})

test('a body of another size than announced is not complete', async () => {
  const { stream, body } = await connect({ 'content-length': '10' })
  stream.on('error', () => {})
  stream.end('hello')
  await collect(body)
  expect(await body.ended).toBe('disconnected')
})

test.each(['before a read', 'while the store is busy'])(
  'a reset keeps each byte that had arrived: %s',
  async (when) => {
    const { stream, body, request } = await connect({ 'content-length': '1000000' })
    const sent = randomBytes(60_000)
    stream.write(sent)
    const pieces: Buffer[] = []
    const iterator = body[Symbol.asyncIterator].bind(body)
    if (when === 'before a read') {
      await arrival({ request }, sent.length)
      const closed = once(request.stream, 'close')
      stream.close(NGHTTP2_CANCEL)
      await closed
    } else {
      pieces.push(...(await iterator().next()).value!)
      // Later bytes wait in the stream.
      request.stream.pause()
      await arrival({ request }, sent.length - Buffer.concat(pieces).length)
      stream.close(NGHTTP2_CANCEL)
      await body.ended
    }
    if (pieces.length === 0) pieces.push(await collect(body))
    else for (let next; !(next = await body.next()).done;) pieces.push(...next.value)
    expect(Buffer.concat(pieces).equals(sent)).toBe(true)
    expect(await body.ended).toBe('disconnected')
  },
)

test('a released body resets its own stream before it returns, and no other one', async () => {
  const first = await connect({ 'content-length': '10' })
  const second = await first.another()
  const reading = first.body[Symbol.asyncIterator]()
  const next = reading.next()
  first.body.stop('released')
  expect(first.request.stream.closed).toBe(true)
  expect((await next).done).toBe(true)
  expect(await first.body.ended).toBe('released')
  await once(first.stream, 'close')
  expect(first.stream.rstCode).toBe(NGHTTP2_CANCEL)
  second.stream.end('helloworld')
  expect((await collect(second.body)).toString()).toBe('helloworld')
  expect(await second.body.ended).toBe('complete')
  second.response.end()
  await once(second.stream.resume(), 'close')
  expect(second.stream.rstCode).toBe(NGHTTP2_NO_ERROR)
})

test('a client that sends nothing for too long ends the body as stalled', async () => {
  const { stream, body } = await connect({}, 50)
  stream.write('hello')
  expect((await collect(body)).toString()).toBe('hello')
  expect(await body.ended).toBe('stalled')
})
