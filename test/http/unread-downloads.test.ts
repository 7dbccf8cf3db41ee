import { readdirSync, readlinkSync } from 'node:fs'
import http2, { type ClientHttp2Stream } from 'node:http2'
import net from 'node:net'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createHandler } from 'tuskit'
import { MemoryWatch } from '../../src/conformance/fixture/memory-watch.js'
import {
  download,
  fileComposer,
  memoryComposer,
  post,
  serve,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { serveHttp2 } from '../support/serve-http2.js'

/** More than the system buffers for a connection whose client does not read. */
const size = 24_000_000
const mebibyte = 1_048_576

vi.setConfig({ testTimeout: 120_000 })

/** Returns the open files of a directory in this process. */
function openFiles(directory: string): number {
  const targets = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`)
    } catch {
      // The descriptor of the listing itself.
      return ''
    }
  })
  return targets.filter((target) => target.startsWith(directory)).length
}

async function site(idleTimeout: number) {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory)
  const http1 = await serve({ composer, idleTimeout })
  const created = await post(http1, { 'upload-length': String(size) }, Buffer.alloc(size))
  const path = created.headers.location!
  return { ...http1, composer, path, open: () => openFiles(directory) }
}

test('clients that do not read use 2.25 MiB and a file each, until idleTimeout', async () => {
  const readers = 20
  const { port, path, open, server } = await site(8_000)
  const memory = await MemoryWatch.begin()
  for (let count = 0; count < readers; count++) {
    const socket = net.connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {}).write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
  }
  await until(
    async () => open(),
    (files) => files === readers,
  )
  while (open() === readers) {
    await memory.look()
    await delay(50)
  }
  memory.assertWithin(readers * 2.25 * mebibyte + 4 * mebibyte)
  await until(
    async () => open(),
    (files) => files === 0,
  )
  const connections = promisify(server.getConnections.bind(server))
  await until(connections, (count) => count === 0)
})

test('an HTTP/2 connection has 64 open downloads, and waiting ones use nothing', async () => {
  const streams = 300
  const { composer, path, open } = await site(60_000)
  const http2Site = await serveHttp2(
    createHandler({ basePath: '/files', composer, idleTimeout: 6_000 }),
  )
  const memory = await MemoryWatch.begin()
  const session = http2.connect(http2Site.origin)
  onTestFinished(() => session.destroy())
  const unread: ClientHttp2Stream[] = []
  let ended = 0
  for (let count = 0; count < streams; count++) {
    const stream = session.request({ ':path': path })
    stream.on('error', () => {}).on('close', () => ended++)
    unread.push(stream)
  }
  await until(
    async () => open(),
    (files) => files === 64,
  )
  while (ended === 0) {
    expect(open()).toBeLessThanOrEqual(64)
    await memory.look()
    await delay(50)
  }
  memory.assertWithin(32 * mebibyte)
  // Others replace the ended ones, and a client that reads is served in its turn.
  await until(
    async () => open(),
    (files) => files > 0,
  )
  for (const stream of unread) stream.close(http2.constants.NGHTTP2_CANCEL)
  const reader = session.request({ ':path': path })
  let received = 0
  for await (const piece of reader) received += (piece as Buffer).length
  expect(received).toBe(size)
  await until(
    async () => open(),
    (files) => files === 0,
  )
})

test('a download that makes progress is not ended, however long it takes', async () => {
  const composer = memoryComposer()
  composer.useContentReader({
    read: async () =>
      Readable.from(
        (async function* () {
          for (const letter of 'slowly') {
            await delay(500)
            yield Buffer.from(letter)
          }
        })(),
      ),
  })
  const { origin, ...rest } = await serve({ composer, idleTimeout: 2_000 })
  const { headers } = await post({ origin }, { 'upload-length': '6' }, 'slowly')
  expect(await download(origin + headers.location)).toBe('slowly')
  expect(rest.server.listening).toBe(true)
})
