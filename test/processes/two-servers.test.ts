import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  createUpload,
  openPatch,
  patch,
  remove,
  send,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { startServer, type ServerOptions } from '../support/server-process.js'
import { download, finishAndCompare, offsetOf } from '../support/stages.js'

/** Two servers in processes of their own on one directory. */
async function twoServers(options: Partial<ServerOptions> = {}) {
  const directory = await temporaryDirectory()
  const all = { directory, lease: 1_000, idleTimeout: 60_000, ...options }
  const [one, two] = await Promise.all([startServer(all), startServer(all)])
  const other = (url: string) => url.replace(one.origin, two.origin)
  const fileOf = (url: string) => join(directory, url.split('/').at(-1)!)
  return { one, two, other, fileOf }
}

const codes = ['ECONNRESET', 'EPIPE']

test('two clients that fight for one upload through different processes never mix bytes', async () => {
  const { one, other, fileOf } = await twoServers({ lockTimeout: 60_000 })
  const size = 400_000
  const url = await createUpload(one, { 'upload-length': String(size) })
  const acknowledged: { from: number; bytes: Buffer }[] = []
  const attempts: { from: number; bytes: Buffer }[] = []

  const fight = async (target: string, letter: string) => {
    let offset = 0
    for (let round = 0; offset < size; round++) {
      const length = Math.min(size - offset, 10_000)
      const bytes = Buffer.from(`${letter}${round};`.repeat(5_000).slice(0, length))
      const digest = createHash('sha1').update(bytes).digest('base64')
      const headers = round % 2 === 0 ? {} : { 'upload-checksum': `sha1 ${digest}` }
      attempts.push({ from: offset, bytes })
      const reply = await patch(target, offset, bytes, headers).catch((error: unknown) => error)
      if (!(reply instanceof Object && 'status' in reply)) {
        // Cut because of the other one.
        expect((reply as { code: string }).code).toBeOneOf(codes)
        offset = await offsetOf(target)
        continue
      }
      const { status, headers: replied } = reply as Awaited<ReturnType<typeof patch>>
      expect(status).toBeOneOf([204, 409])
      if (status === 204) acknowledged.push({ from: offset, bytes })
      offset = Number(replied['upload-offset'])
    }
  }
  await Promise.all([fight(url, 'a'), fight(other(url), 'b')])

  const content = await readFile(fileOf(url))
  expect(content.length).toBe(size)
  for (const { from, bytes } of acknowledged) {
    expect(content.subarray(from, from + bytes.length).equals(bytes)).toBe(true)
  }
  // Unacknowledged bytes are still the beginning of what a client sent for that place.
  for (let at = 0; at < size;) {
    const lengths = attempts
      .filter(({ from }) => from === at)
      .map(({ bytes }) => common(content.subarray(at), bytes))
    const length = Math.max(0, ...lengths)
    expect(length).toBeGreaterThan(0)
    const next = attempts.map(({ from }) => from).filter((from) => from > at && from <= at + length)
    at = next.length > 0 ? Math.max(...next) : at + length
  }
})

function common(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length)
  for (let index = 0; index < most; index++) if (a[index] !== b[index]) return index
  return most
}

test('HEAD through the other process does not disturb an active request', async () => {
  const { one, other } = await twoServers({ takeoverAfter: 60_000 })
  const data = randomBytes(50_000)
  const url = await createUpload(one, { 'upload-length': '50000' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '50000' })
  let last = 0
  for (let sent = 0; sent < data.length; sent += 5_000) {
    request.write(data.subarray(sent, sent + 5_000))
    const offset = await offsetOf(other(url))
    expect(offset).toBeGreaterThanOrEqual(last)
    expect(offset).toBeLessThanOrEqual(sent + 5_000)
    last = offset
  }
  request.end()
  expect((await reply).status).toBe(204)
  expect(await offsetOf(other(url))).toBe(50_000)
  expect((await download(other(url))).equals(data)).toBe(true)
})

test('HEAD through the other process ends a stalled request, and reports every byte that arrived', async () => {
  const { one, other } = await twoServers({ takeoverAfter: 100 })
  const data = randomBytes(50_000)
  const url = await createUpload(one, { 'upload-length': '50000' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '50000' })
  const cut = reply.then(
    () => 'responded',
    (error: { code: string }) => error.code,
  )
  let ended = false
  void cut.then(() => (ended = true))
  request.write(data.subarray(0, 20_000))
  await until(
    () => offsetOf(other(url)),
    () => ended,
  )
  expect(codes).toContain(await cut)
  expect(await offsetOf(other(url))).toBe(20_000)
  await finishAndCompare(other(url), data)
})

test('PATCH and DELETE through the other process take over', async () => {
  const { one, other } = await twoServers({ takeoverAfter: 60_000 })
  const url = await createUpload(one, { 'upload-length': '10' })
  const first = openPatch(url, 0, { 'content-length': '10' })
  first.request.write('hello')
  await until(
    () => offsetOf(url),
    (offset) => offset === 5,
  )
  const second = openPatch(other(url), 5, { 'content-length': '5' })
  await expect(first.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  second.request.write('wor')
  await until(
    () => offsetOf(other(url)),
    (offset) => offset === 8,
  )
  expect((await remove(url)).status).toBe(204)
  await expect(second.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect((await send({ method: 'GET', url: other(url) })).status).toBeOneOf([404, 410])
})

test.each([
  ['a plain chunk', false],
  ['a verified chunk', true],
])('a process suspended in the middle of %s past its lease does no harm', async (_, verified) => {
  const { one, other, fileOf } = await twoServers()
  const data = randomBytes(600_000)
  const url = await createUpload(one, { 'upload-length': String(data.length) })
  expect((await patch(url, 0, data.subarray(0, 100_000))).status).toBe(204)

  // The former holder has wrong bytes to write as soon as it continues.
  const wrong = Buffer.alloc(500_000, 'x')
  const digest = createHash('sha1').update(wrong).digest('base64')
  const zombie = openPatch(url, 100_000, {
    'content-length': '500000',
    ...(verified && { 'upload-checksum': `sha1 ${digest}` }),
  })
  const ended = zombie.reply.then(
    ({ status }) => status,
    () => 'cut',
  )
  zombie.request.write(wrong.subarray(0, 1_000))
  await until(
    async () => (await readFile(fileOf(url))).length,
    (length) => length === 101_000,
  )
  one.child.kill('SIGSTOP')
  zombie.request.end(wrong.subarray(1_000))

  const offset = Number((await patch(other(url), 0, 'x')).headers['upload-offset'])
  expect(offset).toBe(verified ? 100_000 : 101_000)
  const rest = verified ? data.subarray(offset) : data.subarray(offset, 400_000)
  expect((await patch(other(url), offset, rest)).status).toBe(204)
  one.child.kill('SIGCONT')
  expect(await ended).toBeOneOf([503, 'cut'])
  const stored = offset + rest.length
  expect(await offsetOf(url)).toBe(stored)
  expect(await offsetOf(other(url))).toBe(stored)
  if (!verified) expect((await patch(url, stored, data.subarray(stored))).status).toBe(204)

  const expected = Buffer.from(data)
  if (!verified) wrong.copy(expected, 100_000, 0, 1_000)
  expect((await readFile(fileOf(url))).equals(expected)).toBe(true)
  expect((await download(url)).equals(expected)).toBe(true)
})

test('a process suspended between its last look at the lock and the write does no harm', async () => {
  const directory = await temporaryDirectory()
  const all = { directory, lease: 1_000, idleTimeout: 60_000 }
  const one = await startServer({ ...all, stop: 'before fs.write' })
  const two = await startServer(all)
  const data = randomBytes(200_000)
  const url = await createUpload(two, { 'upload-length': '200000' })
  expect((await patch(url, 0, data.subarray(0, 50_000))).status).toBe(204)
  const zombie = patch(url.replace(two.origin, one.origin), 50_000, Buffer.alloc(150_000, 'x'))
  const ended = zombie.then(
    ({ status }) => status,
    () => 'cut',
  )
  await one.stopped
  one.child.kill('SIGSTOP')
  expect((await patch(url, 50_000, data.subarray(50_000, 100_000))).status).toBe(204)
  one.child.kill('SIGCONT')
  one.resume()
  expect(await ended).toBeOneOf([503, 'cut'])
  await finishAndCompare(url, data)
})

test('a removal whose process was suspended is completed by the other', async () => {
  const directory = await temporaryDirectory()
  const all = { directory, lease: 1_000 }
  const one = await startServer({ ...all, stop: 'before infoStore.delete' })
  const url = await createUpload(one)
  const removal = remove(url)
  await one.stopped
  one.child.kill('SIGSTOP')
  const two = await startServer(all)
  expect((await remove(url.replace(one.origin, two.origin))).status).toBeOneOf([204, 404, 410])
  one.child.kill('SIGCONT')
  await Promise.race([removal.catch(() => {}), one.kill()])
  expect((await send({ method: 'GET', url: url.replace(one.origin, two.origin) })).status).toBe(404)
})

test('a killed holder is replaced, and the bytes it stored remain', async () => {
  const { one, other, fileOf } = await twoServers()
  const data = randomBytes(300_000)
  const url = await createUpload(one, { 'upload-length': String(data.length) })
  const { request, reply } = openPatch(url, 0, { 'content-length': String(data.length) })
  request.write(data.subarray(0, 200_000))
  await until(
    async () => (await readFile(fileOf(url))).length,
    (length) => length === 200_000,
  )
  await one.kill()
  await reply.catch(() => {})
  expect(await offsetOf(other(url))).toBe(200_000)
  expect((await patch(other(url), 200_000, data.subarray(200_000))).status).toBe(204)
  expect((await readFile(fileOf(url))).equals(data)).toBe(true)
})
