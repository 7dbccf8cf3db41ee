import { createHash, randomBytes } from 'node:crypto'
import { appendFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  fileComposer,
  head,
  memoryComposer,
  openPatch,
  patch,
  serve,
  temporaryDirectory,
} from '../support/serve.js'
import { download, newGate, media, offsetOf, slowStore } from '../support/stages.js'

describe.each(media)('with %s', (_, compose) => {
  test('a reported offset never goes down, however clients come and vanish', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 20 })
    const data = randomBytes(400_000)
    const url = await createUpload(site, { 'upload-length': String(data.length) })
    let reported = 0
    let done = false
    const observe = (floor: number, header: string | string[] | undefined) => {
      if (header === undefined) return
      const offset = Number(header)
      expect(offset).toBeGreaterThanOrEqual(floor)
      reported = Math.max(reported, offset)
    }

    const read = async () => {
      let replies = 0
      while (!done) {
        const floor = reported
        const reply = await head(url)
        expect(reply.status).toBe(200)
        observe(floor, reply.headers['upload-offset'])
        replies++
      }
      return replies
    }

    const write = async () => {
      for (let round = 0; reported < data.length; round++) {
        const floor = reported
        const offset = await offsetOf(url)
        observe(floor, String(offset))
        const piece = data.subarray(offset, offset + 1 + Math.floor(Math.random() * 60_000))
        const way = round % 3
        if (way === 0) {
          const { request, reply } = openPatch(url, offset, {
            'content-length': data.length - offset,
          })
          request.write(piece)
          // Chance decides whether the server sees the bytes or the reset first.
          await new Promise((resolve) => setImmediate(resolve))
          request.destroy()
          await reply.catch(() => {})
          continue
        }
        const digest = createHash('sha1').update(piece).digest('base64')
        const headers = way === 1 ? {} : { 'upload-checksum': `sha1 ${digest}` }
        const reply = await patch(url, offset, piece, headers)
        expect(reply.status).toBeOneOf([204, 409])
        observe(floor, reply.headers['upload-offset'])
      }
      done = true
    }

    const [, ...replies] = await Promise.all([write(), read(), read(), read()])
    expect(Math.min(...replies)).toBeGreaterThan(0)
    expect((await download(url)).equals(data)).toBe(true)
  })

  test('a 204 is sent only after the store has stored', async () => {
    const composer = await compose()
    const slow = newGate()
    composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
    const site = await serve({ composer })
    const url = await createUpload(site, { 'upload-length': '5' })
    let responded = false
    const reply = patch(url, 0, 'hello').finally(() => (responded = true))
    await slow.reached
    // The whole body has arrived. A HEAD waits for it to be stored, and both wait for the store.
    const headReply = head(url)
    await Promise.race([reply, headReply, offsetOf(await createUpload(site))])
    expect(responded).toBe(false)
    slow.open()
    expect((await reply).headers['upload-offset']).toBe('5')
    expect((await headReply).headers['upload-offset']).toBe('5')
  })

  test('HEAD during an active request reports what is stored, not what was received', async () => {
    const composer = await compose()
    const slow = newGate()
    composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
    const site = await serve({ composer })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await slow.reached
    expect(await offsetOf(url)).toBe(0)
    slow.open()
    request.end('world')
    expect((await reply).status).toBe(204)
    expect(await offsetOf(url)).toBe(10)
  })
})

test('the file contains the bytes that 204 and HEAD report', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  const data = randomBytes(500_000)
  const url = await createUpload(site, { 'upload-length': String(data.length) })
  const path = join(directory, url.split('/').at(-1)!)
  for (let offset = 0; offset < data.length; offset += 100_000) {
    const reply = await patch(url, offset, data.subarray(offset, offset + 100_000))
    expect(reply.status).toBe(204)
    expect((await stat(path)).size).toBe(Number(reply.headers['upload-offset']))
  }
})

test('the store is asked for the offset each time, and no offset is remembered', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  const url = await createUpload(site, { 'upload-length': '11' })
  const path = join(directory, url.split('/').at(-1)!)
  await patch(url, 0, 'hello')
  expect(await offsetOf(url)).toBe(5)
  await appendFile(path, ' wo')
  expect(await offsetOf(url)).toBe(8)
  expect((await patch(url, 5, 'x')).headers['upload-offset']).toBe('8')
  await rm(path)
  expect((await head(url)).status).toBe(410)
  expect((await patch(url, 8, 'rld')).status).toBe(410)
})

test('after a store fails during a chunk, the response reports what is stored', async () => {
  const store = new MemoryStore()
  const composer = memoryComposer()
  let batches = 0
  const failing = slowStore(store, async () => {
    if (++batches > 1) throw new Error('the disk is gone')
  })
  store.useIn(composer)
  composer.useDataStore(failing)
  const site = await serve({ composer, logger: { error() {}, warn() {}, info() {}, debug() {} } })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  while ((await offsetOf(url)) < 5);
  request.end('world')
  const { status, headers } = await reply
  expect([status, headers['upload-offset']]).toEqual([500, '5'])
  expect(await offsetOf(url)).toBe(5)
})
