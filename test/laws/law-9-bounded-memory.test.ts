import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { createUpload, head, openPatch, serve, until } from '../support/serve.js'
import { countReceived, download, newGate, media, offsetOf, slowStore } from '../support/stages.js'

describe.each(media)('with %s', (_, compose) => {
  test('a client is paused while its store is busy', async () => {
    const composer = await compose()
    const slow = newGate()
    const store = slowStore(composer.slots().dataStore!, slow.pass)
    composer.useDataStore(store)
    const perUpload = 131_072
    const site = await serve({
      composer,
      bodyBuffer: { perUpload },
      takeoverAfter: 1,
      settleTimeout: 1,
    })
    const received = countReceived(site)
    const size = 40_000_000
    const data = randomBytes(size)
    const url = await createUpload(site, { 'upload-length': String(size) })
    const { request, reply } = openPatch(url, 0, { 'content-length': String(size) })
    request.end(data)
    await slow.reached
    await until(received, (bytes) => bytes >= perUpload)
    // The client could send all that time, but the store reads nothing.
    for (let times = 0; times < 100; times++) expect(await offsetOf(url)).toBe(0)
    // One batch in the store, one queued, and the bytes that a socket and its parser read ahead.
    expect(await received()).toBeLessThan(2 * perUpload + 1_000_000)
    slow.open()
    expect((await reply).status).toBe(204)
    expect(Math.max(...store.seen.sizes)).toBeLessThan(perUpload + 131_072)
    expect((await download(url)).equals(data)).toBe(true)
  })
})

test('a million pieces of one byte become few buffers', async () => {
  const [, compose] = media[0]!
  const composer = await compose()
  const slow = newGate()
  const store = slowStore(composer.slots().dataStore!, slow.pass)
  composer.useDataStore(store)
  const site = await serve({ composer })
  const received = countReceived(site)
  const count = 300_000
  const url = new URL(await createUpload(site, { 'upload-length': String(count) }))
  const socket = net.connect(site.port, '127.0.0.1')
  socket.write(
    `PATCH ${url.pathname} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
      'Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  socket.write('1\r\na\r\n'.repeat(count))
  socket.write('0\r\n\r\n')
  await slow.reached
  await until(received, (bytes) => bytes > count * 6)
  slow.open()
  await until(
    () => head(url.href),
    ({ headers }) => headers['upload-offset'] === String(count),
  )
  socket.destroy()
  expect(store.seen.sizes.reduce((sum, size) => sum + size)).toBe(count)
  expect(Math.max(...store.seen.counts)).toBeLessThanOrEqual(1024)
  expect((await download(url.href)).equals(Buffer.alloc(count, 'a'))).toBe(true)
})

test('uploads share one budget', async () => {
  const [, compose] = media[0]!
  const composer = await compose()
  const slow = newGate()
  const store = slowStore(composer.slots().dataStore!, slow.pass)
  composer.useDataStore(store)
  const site = await serve({ composer, bodyBuffer: { perUpload: 1_048_576, total: 262_144 } })
  const received = countReceived(site)
  const uploads = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const url = await createUpload(site, { 'upload-length': '4000000' })
      const { request, reply } = openPatch(url, 0, { 'content-length': '4000000' })
      request.end(Buffer.alloc(4_000_000))
      return { url, reply }
    }),
  )
  await until(received, (bytes) => bytes > 8 * 65_536)
  for (const { url } of uploads) expect(await offsetOf(url)).toBe(0)
  slow.open()
  for (const { reply } of uploads) expect((await reply).status).toBe(204)
  // While all were active, each had the minimum. The last ones may have had the whole budget.
  expect(Math.max(...store.seen.sizes)).toBeLessThan(262_144 + 131_072)
})
