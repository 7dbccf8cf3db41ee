import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, type StoreComposer } from 'tuskit'
import {
  createUpload,
  head,
  listen,
  memoryComposer,
  openPatch,
  patch,
  serve,
  until,
} from '../support/serve.js'
import {
  countReceived,
  finishAndCompare,
  newGate,
  media,
  offsetOf,
  slowStore,
} from '../support/stages.js'

/** Makes the store of a composer wait at each batch. */
function slowDown(composer: StoreComposer, pass: () => Promise<void>) {
  const slow = slowStore(composer.slots().dataStore!, pass)
  composer.useDataStore(slow)
  return slow.seen
}

describe.each(media)('with %s', (_, compose) => {
  test('a client that vanishes at a random point leaves a prefix and no more', async () => {
    const site = await serve({ composer: await compose() })
    const data = randomBytes(300_000)
    for (let round = 0; round < 15; round++) {
      const url = await createUpload(site, { 'upload-length': String(data.length) })
      const chunked = round % 2 === 0
      const { request, reply } = openPatch(
        url,
        0,
        chunked ? {} : { 'content-length': String(data.length) },
      )
      let sent = 0
      for (let pieces = Math.floor(Math.random() * 6); pieces > 0; pieces--) {
        const piece = data.subarray(sent, sent + Math.floor(Math.random() * 50_000))
        sent += piece.length
        await new Promise((resolve) => request.write(piece, resolve))
      }
      request.destroy()
      await reply.catch(() => {})
      const offset = await offsetOf(url)
      expect(offset).toBeLessThanOrEqual(sent)
      await finishAndCompare(url, data)
    }
  })

  test('bytes that were stored when the client vanished remain', async () => {
    const site = await serve({ composer: await compose() })
    const data = randomBytes(200_000)
    const url = await createUpload(site, { 'upload-length': '200000' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '200000' })
    request.write(data.subarray(0, 123_456))
    await until(
      () => offsetOf(url),
      (offset) => offset === 123_456,
    )
    request.destroy()
    await reply.catch(() => {})
    expect(await offsetOf(url)).toBe(123_456)
    await finishAndCompare(url, data)
  })

  test('a takeover loses no received byte, and the store sees the body end', async () => {
    const composer = await compose()
    const slow = newGate()
    const seen = slowDown(composer, slow.pass)
    const site = await serve({ composer })
    const received = countReceived(site)
    const data = randomBytes(300_000)
    const url = await createUpload(site, { 'upload-length': String(data.length) })
    const first = openPatch(url, 0, { 'content-length': String(data.length) })
    first.request.write(data.subarray(0, 200_000))
    await slow.reached
    await until(received, (bytes) => bytes > 200_000)
    // The next request waits for the lock; the first one is cut at once, and flushes.
    const second = patch(url, 0, 'x')
    await expect(first.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    slow.open()
    const { status, headers } = await second
    expect([status, headers['upload-offset']]).toEqual([409, '200000'])
    expect(seen.ends).toEqual(['end'])
    await finishAndCompare(url, data)
  })

  test('a shutdown loses no received byte, and reports the offset', async () => {
    const composer = await compose()
    const slow = newGate()
    const seen = slowDown(composer, slow.pass)
    const site = await serve({ composer })
    const received = countReceived(site)
    const data = randomBytes(300_000)
    const url = await createUpload(site, { 'upload-length': String(data.length) })
    const { request, reply } = openPatch(url, 0, { 'content-length': String(data.length) })
    request.write(data.subarray(0, 200_000))
    await slow.reached
    await until(received, (bytes) => bytes > 200_000)
    const stopped = site.server.stop()
    slow.open()
    const { status, headers } = await reply
    expect([status, headers['upload-offset']]).toEqual([503, '200000'])
    await stopped
    expect(seen.ends).toEqual(['end'])
    const next = await serve({ composer })
    await finishAndCompare(url.replace(site.origin, next.origin), data)
  })

  test('for the store, a vanished client is not an error', async () => {
    const composer = await compose()
    const slow = newGate()
    const seen = slowDown(composer, slow.pass)
    const site = await serve({ composer })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await slow.reached
    slow.open()
    request.destroy()
    await reply.catch(() => {})
    expect(await offsetOf(url)).toBe(5)
    expect(seen.ends).toEqual(['end'])
  })

  test('a chunk that arrived completely while its request waited for the lock is stored', async () => {
    const composer = await compose()
    const slow = newGate()
    slowDown(composer, slow.pass)
    const site = await serve({ composer })
    const received = countReceived(site)
    const url = await createUpload(site, { 'upload-length': '10' })
    const first = openPatch(url, 0, { 'content-length': '10' })
    first.request.write('hello')
    await slow.reached
    const before = await received()
    const second = openPatch(url, 5, { 'content-length': '5' })
    second.request.end('world')
    await once(second.request, 'finish')
    await expect(first.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    const whole = before + second.request.socket!.bytesWritten
    await until(received, (bytes) => bytes === whole)
    // Gone before its turn.
    second.request.destroy()
    await second.reply.catch(() => {})
    slow.open()
    await until(
      () => offsetOf(url),
      (offset) => offset === 10,
    )
  })
})

test.each([
  ['the application destroys', (request: http.IncomingMessage) => void request.destroy()],
  ['loses its connection', (request: http.IncomingMessage) => void request.socket.destroy()],
])('a request that %s leaves each byte that was received, once', async (_, end) => {
  const composer = memoryComposer()
  const slow = newGate()
  slowDown(composer, slow.pass)
  const handler = createHandler({ basePath: '/files', composer })
  let patched: http.IncomingMessage | undefined
  const server = http.createServer((request, response) => {
    if (request.method === 'PATCH') patched ??= request
    void handler(request, response)
  })
  server.requestTimeout = 0
  const port = await listen(server)
  onTestFinished(() => void server.close())
  const origin = `http://127.0.0.1:${port}`
  const created = await fetch(`${origin}/files`, {
    method: 'POST',
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '30000000' },
  })
  const url = origin + created.headers.get('location')
  const data = randomBytes(30_000_000)
  const client = net.connect(port, '127.0.0.1')
  client.on('error', () => {})
  onTestFinished(() => void client.destroy())
  const head =
    `PATCH ${new URL(url).pathname} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
    'Content-Type: application/offset+octet-stream\r\nContent-Length: 30000000\r\n\r\n'
  client.write(head)
  client.write(data)
  await slow.reached
  // More than the buffer holds, so that the request is paused and Node has read ahead.
  while (!patched!.isPaused()) await new Promise((resolve) => setImmediate(resolve))
  while (patched!.readableLength === 0) await new Promise((resolve) => setImmediate(resolve))
  const received = patched!.socket.bytesRead - head.length
  const cut = new Promise((resolve) => client.once('close', resolve))
  end(patched!)
  slow.open()
  await cut
  const offset = await offsetOf(url)
  expect(offset).toBe(received)
  expect((await patch(url, offset, data.subarray(offset))).status).toBe(204)
  const got = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(got.equals(data)).toBe(true)
})

test('a client that resets its connection causes no error on the server', async () => {
  const site = await serve()
  const url = new URL(await createUpload(site))
  const socket = net.connect(site.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(
    `PATCH ${url.pathname} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
      'Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
  )
  await until(
    () => offsetOf(url.href),
    (offset) => offset === 3,
  )
  socket.resetAndDestroy()
  expect((await head(url.href)).headers['upload-offset']).toBe('3')
})
