import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { MemoryLocker } from 'tuskit/memory-store'
import {
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  send,
  serve,
  tus,
  until,
} from '../support/serve.js'
import {
  download,
  finishAndCompare,
  newGate,
  media,
  offsetOf,
  slowStore,
  storeWith,
} from '../support/stages.js'

const patient = { idleTimeout: 60_000, takeoverAfter: 60_000 }

describe.each(media)('with %s', (_, compose) => {
  test('a new request takes over a stalled upload at once, with every byte it received', async () => {
    const site = await serve({ composer: await compose(), ...patient })
    const data = randomBytes(200_000)
    const url = await createUpload(site, { 'upload-length': '200000' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '200000' })
    request.write(data.subarray(0, 70_000))
    await until(
      () => offsetOf(url),
      (offset) => offset === 70_000,
    )
    const started = performance.now()
    const next = await patch(url, 70_000, data.subarray(70_000))
    const milliseconds = performance.now() - started
    console.log(`taken over in ${milliseconds.toFixed(1)} ms`)
    expect(next.status).toBe(204)
    // The order counts: long before any timeout.
    expect(milliseconds).toBeLessThan(15_000)
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await download(url)).equals(data)).toBe(true)
  })

  test('each of many writers gets its turn, and bytes never mix', async () => {
    const site = await serve({ composer: await compose(), ...patient })
    const data = randomBytes(500_000)
    const url = await createUpload(site, { 'upload-length': String(data.length) })
    const write = async () => {
      for (let offset = 0; offset < data.length;) {
        const piece = data.subarray(offset, offset + 20_000)
        const reply = await patch(url, offset, piece).catch((error: { code?: string }) => error)
        if (!('status' in reply)) {
          // Cut because of another writer.
          expect(reply.code).toBeOneOf(['ECONNRESET', 'EPIPE'])
          continue
        }
        expect(reply.status).toBeOneOf([204, 409])
        offset = Number(reply.headers['upload-offset'])
      }
    }
    await Promise.all([write(), write(), write(), write()])
    expect((await download(url)).equals(data)).toBe(true)
  })

  test('HEAD and GET never end a request that makes progress', async () => {
    const site = await serve({ composer: await compose(), settleTimeout: 20 })
    const data = randomBytes(100_000)
    const url = await createUpload(site, { 'upload-length': '100000' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '100000' })
    let last = 0
    for (let sent = 0; sent < data.length; sent += 1_000) {
      request.write(data.subarray(sent, sent + 1_000))
      const offset = await offsetOf(url)
      expect(offset).toBeGreaterThanOrEqual(last)
      last = offset
      if (sent % 10_000 === 0) expect((await send({ method: 'GET', url })).status).toBe(409)
    }
    request.end()
    expect((await reply).status).toBe(204)
    expect((await download(url)).equals(data)).toBe(true)
  })

  test('a request that waits for a slow store has not stalled', async () => {
    const composer = await compose()
    const slow = newGate()
    composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
    const site = await serve({ composer, takeoverAfter: 1, idleTimeout: 50 })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await slow.reached
    const started = performance.now()
    while (performance.now() - started < 100) expect(await offsetOf(url)).toBe(0)
    request.end('world')
    slow.open()
    expect((await reply).status).toBe(204)
  })

  test('HEAD ends a stalled request, and reports every byte that arrived', async () => {
    const site = await serve({ composer: await compose(), idleTimeout: 60_000, takeoverAfter: 50 })
    const data = randomBytes(20_000)
    const url = await createUpload(site, { 'upload-length': '20000' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '20000' })
    request.write(data.subarray(0, 7_000))
    const cut = expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    let open = true
    void reply.catch(() => (open = false))
    await until(
      () => offsetOf(url),
      () => !open,
    )
    await cut
    expect(await offsetOf(url)).toBe(7_000)
    await finishAndCompare(url, data)
  })

  test('HEAD does not wait for a request that is just beginning', async () => {
    const composer = await compose()
    const slow = newGate()
    const store = composer.slots().dataStore!
    let calls = 0
    composer.useDataStore(
      storeWith(store, {
        async stat(upload, options) {
          // The first call is that of the PATCH, under the lock.
          if (calls++ === 0) await slow.pass()
          return store.stat(upload, options)
        },
      }),
    )
    const site = await serve({ composer, ...patient, finishTimeout: 60_000 })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    await slow.reached
    const early = head(url)
    slow.open()
    // The body never ends while HEAD waits.
    expect((await early).headers['upload-offset']).toBe('0')
    request.end('helloworld')
    expect((await reply).status).toBe(204)
  })

  test('DELETE ends the active request and removes its bytes', async () => {
    const site = await serve({ composer: await compose(), ...patient })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    const deleted = await send({ method: 'DELETE', url, headers: tus })
    expect(deleted.status).toBe(204)
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await head(url)).status).toBeOneOf([404, 410])
  })

  test('the old connection is cut before the new request gets the lock', async () => {
    const composer = await compose()
    const slow = newGate()
    composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
    const site = await serve({ composer, ...patient })
    const url = await createUpload(site, { 'upload-length': '10' })
    const first = openPatch(url, 0, { 'content-length': '10' })
    first.request.write('hello')
    await slow.reached
    const second = patch(url, 5, 'world')
    // The store has not returned yet, so the lock has not moved either.
    await expect(first.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    slow.open()
    expect((await second).status).toBe(204)
    expect((await download(url)).toString()).toBe('helloworld')
  })
})

test('a request that waits longer than lockTimeout gets 423, and the holder continues', async () => {
  const [, compose] = media[0]!
  const composer = await compose()
  const slow = newGate()
  composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
  const site = await serve({ composer, lockTimeout: 100 })
  const url = await createUpload(site, { 'upload-length': '5' })
  const first = patch(url, 0, 'hello')
  await slow.reached
  expect((await patch(url, 0, 'hello')).status).toBe(423)
  slow.open()
  expect((await first).status).toBe(204)
})

test('finishPending takes no lock of an upload that waits for its client', async () => {
  const composer = memoryComposer()
  const locker = new MemoryLocker()
  const taken: string[] = []
  composer.useLocker({
    acquire(id, options) {
      taken.push(id)
      return locker.acquire(id, options)
    },
    settle: (id, options) => locker.settle(id, options),
  })
  const site = await serve({ composer, hooks: { preFinish: () => ({}) } })
  const url = await createUpload(site, { 'upload-length': '5' })
  await patch(url, 0, 'he')
  taken.length = 0
  expect(await site.handler.uploads.finishPending()).toBe(0)
  expect(taken).toEqual([])
})
