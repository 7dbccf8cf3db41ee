import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler, createUploadServer, type HandlerOptions } from 'tuskit'
import {
  chunk,
  createUpload,
  listen,
  memoryComposer,
  openPatch,
  post,
  serve,
  until,
} from '../support/serve.js'
import { offsetOf } from '../support/stages.js'

const make = (options: object) =>
  createHandler({ basePath: '/files', composer: memoryComposer(), ...options } as HandlerOptions)

describe('requestTimeout', () => {
  test('of a server that would cut uploads causes a warning, once per server', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const handler = make({})
    for (let count = 0; count < 2; count++) {
      const server = http.createServer((request, response) => void handler(request, response))
      const port = await listen(server)
      const origin = `http://127.0.0.1:${port}`
      await post({ origin }, { 'upload-length': '1' })
      await post({ origin }, { 'upload-length': '1' })
      server.close()
    }
    const site = await serve()
    await post(site, { 'upload-length': '1' })
    const codes = warnings.map((warning) => (warning as { code?: string }).code)
    expect(codes).toEqual(['TUSKIT_REQUEST_TIMEOUT', 'TUSKIT_REQUEST_TIMEOUT'])
    expect(warnings[0]!.message).toContain('300000')
  })
})

describe('createUploadServer', () => {
  test('has the settings that long uploads need, and accepts those of Node', () => {
    const server = createUploadServer(make({}))
    expect([server.requestTimeout, server.headersTimeout]).toEqual([0, 60_000])
    expect(server.keepAliveTimeout).toBe(65_000)
    const other = createUploadServer(make({}), { requestTimeout: 7_000, keepAliveTimeout: 1 })
    expect([other.requestTimeout, other.keepAliveTimeout]).toEqual([7_000, 1])
    expect(other.headersTimeout).toBe(7_000)
  })

  test('accepts the long headers of concatenations', async () => {
    const site = await serve({ maxPartials: 1_500 })
    const partial = await post(site, { 'upload-length': '1', 'upload-concat': 'partial' }, 'a')
    const urls = Array.from({ length: 1_500 }, () => partial.headers.location)
    const header = `final;${urls.join(' ')}`
    expect(header.length).toBeGreaterThan(40_000)
    const final = await post(site, { 'upload-concat': header })
    expect(final.status).toBe(201)
    expect(await offsetOf(site.origin + final.headers.location)).toBe(1_500)
  })
})

describe('Expect: 100-continue', () => {
  const expectant = { expect: '100-continue', 'content-length': '5' }

  test('sends a 100 before the body of an accepted request, and the response after it', async () => {
    const site = await serve()
    const url = await createUpload(site, { 'upload-length': '5' })
    const { request, reply } = openPatch(url, 0, expectant)
    await once(request, 'continue')
    request.end('hello')
    expect((await reply).status).toBe(204)
  })

  test('sends no 100 for a refused request, so its body never travels', async () => {
    const site = await serve({ maxSize: 10 })
    const url = await createUpload(site, { 'upload-length': '5' })
    const continued = vi.fn()
    const responses = [
      [openPatch(url, 7, expectant), 409],
      [openPatch(`${url}x`, 0, expectant), 404],
      [openPatch(url, 0, { ...expectant, 'content-length': '6' }), 413],
      [openPatch(url, 0, { ...expectant, 'tus-resumable': '0.2.0' }), 412],
    ] as const
    for (const [{ request, reply }, status] of responses) {
      request.on('continue', continued)
      expect((await reply).status).toBe(status)
      request.destroy()
    }
    expect(continued).not.toHaveBeenCalled()
  })

  test('sends one 100', async () => {
    const site = await serve()
    const url = new URL(await createUpload(site, { 'upload-length': '5' }))
    const socket = net.connect(site.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let text = ''
    socket.on('data', (data) => (text += String(data)))
    socket.write(
      `PATCH ${url.pathname} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n` +
        `Content-Type: ${chunk['content-type']}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
    )
    await until(
      async () => text,
      (all) => all.includes('100 Continue'),
    )
    socket.write('hello')
    await until(
      async () => text,
      (all) => all.includes('204 No Content'),
    )
    expect(text.match(/100 Continue/g)?.length).toBe(1)
  })
})
