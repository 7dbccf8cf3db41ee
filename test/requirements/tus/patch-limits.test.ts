import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import {
  createUpload,
  download,
  offsetOf,
  openPatch,
  patch,
  post,
  serve,
  type Site,
  stores,
  until,
  untilOffset,
} from '../../support/serve.js'
import { patchHead } from './raw-patch.js'
import { silent } from '../../support/silent.js'

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), takeoverAfter: 60_000, logger: silent, ...options })
  }

  test('T-060 a chunked body is accepted', async () => {
    const url = await createUpload(await site())
    const first = await patch(url, 0, 'hello', { 'transfer-encoding': 'chunked' })
    expect([first.status, first.headers['upload-offset']]).toEqual([204, '5'])
    const { request, reply } = openPatch(url, 5, { 'transfer-encoding': 'chunked' })
    for (const letter of ' world') request.write(letter)
    request.end()
    expect((await reply).headers['upload-offset']).toBe('11')
    expect(await download(url)).toBe('hello world')
  })

  test('T-062 a Content-Length beyond the length gets 413 before a byte is stored', async () => {
    const url = await createUpload(await site())
    await patch(url, 0, 'hello')
    // The client never sends the body: the head alone is refused.
    const { request, reply } = openPatch(url, 5, { 'content-length': '7' })
    const { status, headers, text } = await reply
    expect([status, headers['upload-offset']]).toEqual([413, '5'])
    expect(text).toMatch(/^ERR_LENGTH_EXCEEDED: /)
    request.destroy()
    expect((await patch(url, 5, ' world!')).status).toBe(413)
    expect(await offsetOf(url)).toBe('5')
  })

  test('T-063 a chunked body beyond the length gets 413, and the excess is dropped', async () => {
    const url = await createUpload(await site())
    const over = await patch(url, 0, 'hello world!', { 'transfer-encoding': 'chunked' })
    expect(over.status).toBe(413)
    expect([over.headers['upload-offset'], await offsetOf(url)]).toEqual(['0', '0'])

    const { request, reply } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
    request.write('hello')
    await untilOffset(url, 5)
    request.end(' world!')
    expect((await reply).status).toBe(413)
    expect([(await reply).headers['upload-offset'], await offsetOf(url)]).toEqual(['5', '5'])
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-063 a chunked body that arrived before it is read gets 413 for excess bytes too', async () => {
    const arrived = ({ request }: { request: IncomingMessage | undefined }) =>
      until(
        async () => request!.method !== 'PATCH' || request!.complete,
        (complete) => complete,
      ).then(() => {})
    const url = await createUpload(await site({ hooks: { access: arrived } }))
    for (const [offset, body] of [
      [0, 'hello world!'],
      [0, 'hello world'],
      [11, '!'],
    ] as const) {
      const reply = await patch(url, offset, body, { 'transfer-encoding': 'chunked' })
      expect(reply.status).toBe(body === 'hello world' ? 204 : 413)
    }
    expect(await download(url)).toBe('hello world')
  })

  test('T-063 the last bytes of a chunked body are held back until the body ends', async () => {
    const url = await createUpload(await site())
    const { request, reply } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
    request.write('hello ')
    await untilOffset(url, 6)
    request.write('world')
    request.write('!')
    expect([(await reply).status, (await reply).headers['upload-offset']]).toEqual([413, '6'])
    request.destroy()
    expect(await offsetOf(url)).toBe('6')
  })

  test('T-063 the bytes of a client that vanishes at the end are stored', async () => {
    const at = await site()
    const url = await createUpload(at)
    const socket = connect(at.port, '127.0.0.1')
    socket.on('error', () => {})
    const top = patchHead(url, { 'upload-offset': '0', 'transfer-encoding': 'chunked' })
    socket.end(`${top}b\r\nhello world\r\n`)
    await untilOffset(url, 11)
    expect(await download(url)).toBe('hello world')
  })

  test('T-064 a complete upload accepts an empty chunk and refuses any byte', async () => {
    for (const hooks of [{}, { preFinish: () => {} }]) {
      const url = await createUpload(await site({ hooks }))
      await patch(url, 0, 'hello world')
      for (const headers of [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }]) {
        const empty = await patch(url, 11, '', headers)
        expect([empty.status, empty.headers['upload-offset']]).toEqual([204, '11'])
      }
      for (const headers of [{ 'content-length': '1' }, { 'transfer-encoding': 'chunked' }]) {
        const more = await patch(url, 11, '!', headers)
        expect([more.status, more.headers['upload-offset']]).toEqual([413, '11'])
      }
      expect(await download(url)).toBe('hello world')
    }
  })
})

test('T-060 a chunked body is held to the maximum while the length is unknown', async () => {
  const site = await serve({ maxSize: 10 })
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  const reply = await patch(url, 0, 'hello world', { 'transfer-encoding': 'chunked' })
  expect(reply.status).toBe(413)
  expect(await offsetOf(url)).toBe('0')
})

test('T-061 T-101 an empty chunk is never too small, and can declare the length', async () => {
  const site = await serve({ minAppendSize: 3 })
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  expect((await patch(url, 0, '')).status).toBe(204)
  expect((await patch(url, 0, 'ab')).text).toMatch(/^ERR_APPEND_TOO_SMALL: /)
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect((await patch(url, 5, '')).status).toBe(204)
  expect((await patch(url, 5, '', { 'upload-length': '12' })).status).toBe(204)
  expect((await patch(url, 5, 'ab')).text).toMatch(/^ERR_APPEND_TOO_SMALL: /)
  expect((await patch(url, 5, ' world')).status).toBe(204)
  expect((await patch(url, 11, '!')).status).toBe(204)
  expect(await download(url)).toBe('hello world!')
  const small = await post(site, { 'upload-length': '12' }, 'ab')
  expect(small.text).toMatch(/^ERR_APPEND_TOO_SMALL: /)
  expect((await post(site, { 'upload-length': '12' })).status).toBe(201)
})
