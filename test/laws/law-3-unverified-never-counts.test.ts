import { createHash, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  fileComposer,
  head,
  openPatch,
  patch,
  send,
  serve,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { startServer } from '../support/server-process.js'
import { countReceived, download, finishAndCompare, media, offsetOf } from '../support/stages.js'

const digestOf = (data: Buffer) => `sha256 ${createHash('sha256').update(data).digest('base64')}`
const data = randomBytes(300_000)
const whole = { 'upload-length': String(data.length) }

describe.each(media)('with %s', (_, compose) => {
  test.each([
    ['sized', { 'content-length': '100000' }],
    ['chunked', { 'transfer-encoding': 'chunked' }],
  ])('not after a mismatch (%s)', async (_, framing) => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, whole)
    expect((await patch(url, 0, data.subarray(0, 50_000))).status).toBe(204)
    const piece = data.subarray(50_000, 150_000)
    const wrong = await patch(url, 50_000, piece, {
      ...framing,
      'upload-checksum': digestOf(data),
    })
    expect([wrong.status, wrong.headers['upload-offset']]).toEqual([460, '50000'])
    expect(await offsetOf(url)).toBe(50_000)
    const right = await patch(url, 50_000, piece, {
      ...framing,
      'upload-checksum': digestOf(piece),
    })
    expect([right.status, right.headers['upload-offset']]).toEqual([204, '150000'])
    await finishAndCompare(url, data)
  })

  test('not for a HEAD in the meantime, not after a disconnect', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
    const received = countReceived(site)
    const url = await createUpload(site, whole)
    await patch(url, 0, data.subarray(0, 50_000))
    const piece = data.subarray(50_000, 250_000)
    const { request, reply } = openPatch(url, 50_000, {
      'content-length': String(piece.length),
      'upload-checksum': digestOf(piece),
    })
    request.write(piece.subarray(0, 199_999))
    await until(
      async () => {
        expect(await offsetOf(url)).toBe(50_000)
        return received()
      },
      (bytes) => bytes > 250_000,
    )
    expect(await offsetOf(url)).toBe(50_000)
    request.destroy()
    await reply.catch(() => {})
    expect(await offsetOf(url)).toBe(50_000)
    await finishAndCompare(url, data)
  })

  test('not after a takeover, even when all bytes but the last had arrived', async () => {
    const site = await serve({ composer: await compose() })
    const received = countReceived(site)
    const url = await createUpload(site, whole)
    const { request, reply } = openPatch(url, 0, {
      ...whole,
      'content-length': String(data.length),
      'upload-checksum': digestOf(data),
    })
    request.write(data.subarray(0, -1))
    await until(received, (bytes) => bytes > data.length)
    const next = await patch(url, 1, 'x')
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect([next.status, next.headers['upload-offset']]).toEqual([409, '0'])
    await finishAndCompare(url, data)
  })

  test('not with a trailer that does not match, is missing, or contradicts the header', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, whole)
    const sendWith = (trailer: string | undefined, headers = {}) =>
      send({
        method: 'PATCH',
        url,
        headers: { ...chunk, 'upload-offset': '0', trailer: 'Upload-Checksum', ...headers },
        body: data,
        trailers: trailer === undefined ? {} : { 'upload-checksum': trailer },
      })
    expect((await sendWith(digestOf(Buffer.from('other')))).status).toBe(460)
    expect((await sendWith(undefined)).status).toBe(400)
    expect((await sendWith('sha256 !!!')).status).toBe(400)
    const contradiction = { 'upload-checksum': digestOf(Buffer.from('other')) }
    expect((await sendWith(digestOf(data), contradiction)).status).toBe(400)
    expect(await offsetOf(url)).toBe(0)
    expect((await sendWith(digestOf(data))).status).toBe(204)
    expect((await download(url)).equals(data)).toBe(true)
  })

  test('not with a creation whose bytes do not match', async () => {
    const site = await serve({ composer: await compose() })
    const reply = await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, ...whole, 'upload-checksum': digestOf(Buffer.from('other')) },
      body: data,
    })
    expect(reply.status).toBe(460)
    const url = new URL(reply.headers.location!, site.origin).href
    expect(await offsetOf(url)).toBe(0)
    await finishAndCompare(url, data)
  })
})

test('not after kill -9 in the middle', async () => {
  const directory = await temporaryDirectory()
  const server = await startServer({ directory })
  const url = await createUpload(server, whole)
  expect((await patch(url, 0, data.subarray(0, 50_000))).status).toBe(204)
  const piece = data.subarray(50_000, 250_000)
  const { request, reply } = openPatch(url, 50_000, {
    'content-length': String(piece.length),
    'upload-checksum': digestOf(piece),
  })
  request.write(piece.subarray(0, 150_000))
  const id = url.split('/').at(-1)!
  await until(
    () => stat(join(directory, id)),
    ({ size }) => size === 200_000,
  )
  expect(await offsetOf(url)).toBe(50_000)
  await server.kill()
  await reply.catch(() => {})

  const site = await serve({ composer: fileComposer(directory) })
  const again = url.replace(server.origin, site.origin)
  expect((await head(again)).headers['upload-offset']).toBe('50000')
  // Without a checksum, so that no other check could notice the rest of the old chunk.
  await patch(again, 50_000, data.subarray(50_000, 60_000))
  expect(await offsetOf(again)).toBe(60_000)
  await finishAndCompare(again, data)
})
