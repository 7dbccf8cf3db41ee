import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  download,
  head,
  memoryComposer,
  offsetOf,
  openPatch,
  patch,
  post,
  remove,
  send,
  serve,
  tus,
  type Reply,
} from '../support/serve.js'
import { noAbort, keptLog, storeWith } from '../support/stages.js'
import { hangingStores } from './hanging.js'

const draft = { 'upload-draft-interop-version': '6' }

describe.each([
  ['heeds its signal', true],
  ['ignores its signal', false],
])('a store that hangs and %s', (_, heeds) => {
  async function hangingSite(locker?: MemoryLocker) {
    const composer = memoryComposer()
    if (locker) composer.useLocker(locker)
    const stores = hangingStores(heeds, composer)
    const log = keptLog()
    const options = { storeTimeout: 100, lockTimeout: 100, settleTimeout: 50, logger: log }
    const site = await serve({ composer: stores.composer, ...options })
    return { ...stores, site, log }
  }

  function expectUnavailable({ status, text, headers }: Reply): void {
    expect([status, text.split(':')[0]]).toEqual([503, 'ERR_STORAGE_UNAVAILABLE'])
    expect(headers['retry-after']).toMatch(/^\d+$/)
  }

  test.each([
    ['GET', 503],
    ['DELETE', 503],
    ['HEAD', 423],
  ])(
    'that is in infoStore.get: %s of either protocol waits for one limit',
    async (method, status) => {
      const { site, log, hang, aborted } = await hangingSite()
      const url = await createUpload(site, { 'upload-length': '10' })
      hang('infoStore.get')
      const reply = await send({ method, url })
      expect(reply.status).toBe(status)
      expect(reply.headers['retry-after']).toMatch(/^\d+$/)
      expect(aborted).toEqual(['infoStore.get'])
      const lines = log.lines.filter(({ message }) => message === 'A store does not respond')
      expect(lines).toHaveLength(1)
    },
  )

  test.each(['infoStore.get', 'dataStore.stat'])(
    'that is in %s: requests get a response in time, and are logged as errors',
    async (call) => {
      const { site, log, hang, recover, aborted } = await hangingSite()
      const url = await createUpload(site, { 'upload-length': '10' })
      expect((await patch(url, 0, 'hello')).status).toBe(204)
      hang(call)
      expectUnavailable(await patch(url, 5, 'world'))
      const { status, headers } = await head(url)
      expect(status).toBe(423)
      expect(headers['retry-after']).toMatch(/^\d+$/)
      expect(headers).not.toHaveProperty('upload-offset')
      expect((await send({ method: 'GET', url, headers: tus })).status).toBe(423)
      const lines = log.lines.filter(({ message }) => message === 'A store does not respond')
      expect(lines.map(({ level, fields }) => [level, fields.call])).toEqual(
        Array(3).fill(['error', call]),
      )
      // The store in memory never reads the signal; the fake reads it each time.
      expect(aborted).toEqual(Array(3).fill(call))
      recover()
      expect((await head(url)).headers['upload-offset']).toBe('5')
      expect((await patch(url, 5, 'world')).status).toBe(204)
      expect(await download(url)).toBe('helloworld')
    },
  )

  test('that is in infoStore.get: draft requests get a response in time', async () => {
    const { site, hang, recover } = await hangingSite()
    const created = await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...draft, 'upload-complete': '?0' },
      body: 'hello',
    })
    const url = new URL(created.headers.location!, site.origin).href
    hang('infoStore.get')
    const headers = { ...draft, 'upload-complete': '?1', 'upload-offset': '5' }
    const asked = await send({ method: 'HEAD', url, headers: draft })
    expect([423, 503]).toContain(asked.status)
    const type = { 'content-type': 'application/partial-upload' }
    const end = { method: 'PATCH', url, headers: { ...headers, ...type }, body: 'world' }
    expect((await send(end)).status).toBe(503)
    recover()
    expect((await send(end)).status).toBe(201)
  })

  test.each(['infoStore.create', 'dataStore.create'])(
    'that is in %s: a creation gets a response in time',
    async (call) => {
      const { site, hang, recover, aborted } = await hangingSite()
      hang(call)
      expectUnavailable(await post(site, { 'upload-length': '5' }))
      expect(aborted).toEqual([call])
      recover()
      const url = await createUpload(site, { 'upload-length': '5' })
      expect((await patch(url, 0, 'hello')).status).toBe(204)
    },
  )

  test('that is in contentReader.read: a stream that is opened too late is closed', async () => {
    const { site, hang, recover } = await hangingSite()
    const url = await createUpload(site, { 'upload-length': '5' })
    await patch(url, 0, 'hello')
    hang('contentReader.read')
    // A store that checks its signal opens nothing.
    const { read } = MemoryStore.prototype
    const opened = vi.spyOn(MemoryStore.prototype, 'read')
    opened.mockImplementationOnce(function (this: MemoryStore, upload, range) {
      return read.call(this, upload, range, noAbort)
    })
    onTestFinished(() => opened.mockRestore())
    expectUnavailable(await send({ method: 'GET', url }))
    recover()
    if (!heeds) {
      await vi.waitFor(async () => {
        const late = await opened.mock.results[0]!.value
        expect(late).toMatchObject({ destroyed: true })
      })
    }
    expect(await download(url)).toBe('hello')
  })

  test('that changes a record: the lock is held until the change settles', async () => {
    const { site, hang, recover } = await hangingSite()
    const url = await createUpload(site, { 'upload-defer-length': '1' })
    hang('infoStore.update')
    const length = { 'upload-length': '5' }
    expectUnavailable(await patch(url, 0, 'hello', length))
    // Readers do not wait for it.
    expect((await head(url)).headers['upload-offset']).toBe('0')
    if (!heeds) expect((await patch(url, 0, 'hello', length)).status).toBe(423)
    recover()
    await vi.waitFor(async () => {
      expect((await patch(url, 0, 'hello', length)).status).toBe(204)
    })
    expect(await download(url)).toBe('hello')
  })

  test('that saves a secret: readers do not wait for it either', async () => {
    const { composer, hang } = hangingStores(heeds)
    const store = composer.slots().dataStore!
    composer.useDataStore(
      storeWith(store, {
        async append(upload, from, body, options) {
          await options.saveSecret('part')
          return store.append(upload, from, body, options)
        },
      }),
    )
    const site = await serve({ composer, storeTimeout: 100, logger: keptLog() })
    const url = await createUpload(site, { 'upload-length': '5' })
    hang('infoStore.update')
    expectUnavailable(await patch(url, 0, 'hello'))
    expect((await head(url)).headers['upload-offset']).toBe('0')
  })

  test('that notes a final upload: the request that fills its partial can still be ended', async () => {
    const { site, hang, recover } = await hangingSite()
    const length = { 'upload-length': '10' }
    const url = await createUpload(site, { 'upload-concat': 'partial', ...length })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    // It is cut while its client has more to write.
    reply.catch(() => {})
    request.write('hello')
    await expect.poll(() => offsetOf(url)).toBe('5')
    hang('infoStore.update')
    const final = { 'upload-concat': `final;${new URL(url).pathname}` }
    expectUnavailable(await post(site, final))
    if (!heeds) expect((await patch(url, 5, 'world')).status).toBe(423)
    recover()
    await vi.waitFor(async () => expect((await patch(url, 5, 'world')).status).toBe(204))
    expect((await head(url)).headers['upload-offset']).toBe('10')
    request.destroy()
  })

  test('that removes data: the lock is held, and the removal is completed later', async () => {
    const { site, hang, recover, aborted } = await hangingSite()
    const url = await createUpload(site, { 'upload-length': '5' })
    hang('terminator.terminate')
    expectUnavailable(await remove(url))
    expect(aborted).toEqual(['terminator.terminate'])
    expect((await head(url)).status).toBe(410)
    if (!heeds) expect((await remove(url)).status).toBe(423)
    recover()
    await vi.waitFor(async () => expect((await remove(url)).status).toBe(410))
    await vi.waitFor(async () => expect((await head(url)).status).toBe(404))
  })

  test('one upload that hangs does not keep the others from the sweep', async () => {
    const stores = hangingStores(heeds)
    const { dataStore } = stores.composer.slots()
    const log = keptLog()
    const hangs = new Set<string>()
    stores.composer.useDataStore({
      ...dataStore!,
      maxSize: Infinity,
      locate: (upload) => dataStore!.locate(upload),
      create: (upload, options) => dataStore!.create(upload, options),
      append: (upload, from, body, options) => dataStore!.append(upload, from, body, options),
      stat: (upload, { signal }) =>
        hangs.has(upload.id)
          ? new Promise((_, reject) => {
              signal.addEventListener('abort', () => heeds && reject(signal.reason as Error))
            })
          : dataStore!.stat(upload, { signal }),
    })
    const expiration = { after: 1 }
    const options = { composer: stores.composer, expiration, storeTimeout: 100, logger: log }
    const site = await serve(options)
    const urls: string[] = []
    for (let i = 0; i < 3; i++) urls.push(await createUpload(site, { 'upload-length': '5' }))
    hangs.add(urls[0]!.split('/').at(-1)!)
    await vi.waitFor(async () => expect((await head(urls[2]!)).status).toBe(410))
    expect(await site.handler.uploads.removeExpired()).toBe(2)
    expect((await head(urls[2]!)).status).toBe(404)
    hangs.clear()
    expect(await site.handler.uploads.removeExpired()).toBe(1)
  })

  describe('as a locker', () => {
    test('in acquire: 423 in time, and a lock that comes too late is released', async () => {
      const { site, hang, recover } = await hangingSite(new MemoryLocker())
      const url = await createUpload(site, { 'upload-length': '5' })
      hang('locker.acquire')
      expect((await patch(url, 0, 'hello')).status).toBe(423)
      recover()
      await vi.waitFor(async () => expect((await patch(url, 0, 'hello')).status).toBe(204))
    })

    test('in settle: HEAD asks the store instead', async () => {
      const { site, hang } = await hangingSite(new MemoryLocker())
      const url = await createUpload(site, { 'upload-length': '5' })
      hang('locker.settle')
      expect((await head(url)).headers['upload-offset']).toBe('0')
    })
  })
})

test('the longest possible limit does not overflow timers', async () => {
  const composer = memoryComposer()
  const site = await serve({ composer, storeTimeout: 2_147_483_647 })
  await createUpload(site, { 'upload-length': '5' })
  const warned = vi.spyOn(process, 'emitWarning')
  onTestFinished(() => warned.mockRestore())
  for await (const { state } of site.handler.uploads.list()) expect(state).toBe('open')
  expect(warned).not.toHaveBeenCalled()
})

test('a lock whose release hangs does not delay the request', async () => {
  const inner = new MemoryLocker()
  const log = keptLog()
  const composer = memoryComposer().useLocker({
    settle: (id, options) => inner.settle(id, options),
    async acquire(id, options) {
      const lock = await inner.acquire(id, options)
      const { token, forced, lost } = lock
      const release = () => new Promise<never>(() => {})
      return { token, forced, lost, held: () => lock.held(), shutOut() {}, release }
    },
  })
  const site = await serve({ composer, storeTimeout: 100, logger: log })
  expect((await post(site, { 'upload-length': '5' })).status).toBe(201)
  const { message, fields } = log.lines.find(({ level }) => level === 'error')!
  expect([message, fields.call]).toEqual(['A store does not respond', 'lock.release'])
})
