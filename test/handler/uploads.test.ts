import { Readable } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { StoreComposer, type Uploads } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  fileComposer,
  head,
  idOf,
  memoryComposer,
  namesIn,
  openPatch,
  patch,
  serve,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { offsetOf } from '../support/stages.js'

afterEach(() => void vi.useRealTimers())

describe('handler.uploads', () => {
  test('inspect', async () => {
    const site = await serve()
    const { uploads } = site.handler
    const url = await createUpload(site, { 'upload-length': '5' })
    expect(await uploads.inspect(idOf(url))).toMatchObject({ offset: 0, finished: false })
    await patch(url, 0, 'hello')
    const inspection = await uploads.inspect(idOf(url))
    expect(inspection).toMatchObject({ offset: 5, finished: true, upload: { length: 5 } })
    await expect(uploads.inspect('none')).rejects.toMatchObject({ code: 'ERR_UPLOAD_NOT_FOUND' })
  })

  test('read', async () => {
    const site = await serve()
    const { uploads } = site.handler
    const url = await createUpload(site, { 'upload-length': '5' })
    const text = async (range?: { start: number; end: number }) => {
      const content = await uploads.read(idOf(url), range && { range })
      if ('redirect' in content) throw new Error('redirected')
      let all = ''
      for await (const piece of content) all += String(piece)
      return all
    }
    await expect(text()).rejects.toMatchObject({ code: 'ERR_UPLOAD_NOT_FINISHED' })
    await patch(url, 0, 'hello')
    expect(await text()).toBe('hello')
    expect(await text({ start: 1, end: 3 })).toBe('ell')
    await expect(uploads.read('none')).rejects.toMatchObject({ code: 'ERR_UPLOAD_NOT_FOUND' })
  })

  test('read rejects when its signal aborts before or while the store opens, without an unhandled error of a stream', async () => {
    const composer = memoryComposer()
    const reason = new Error('enough')
    const controller = new AbortController()
    let opened = 0
    // A fake: the signal of a real store would have to abort within microseconds.
    composer.useContentReader({
      async read(_upload, _range, { signal }) {
        opened++
        controller.abort(reason)
        return Readable.from(['hello'], { signal })
      },
    })
    const { handler, ...site } = await serve({ composer })
    const id = idOf(await createUpload(site, { 'upload-length': '0' }))
    const { signal } = controller
    await expect(handler.uploads.read(id, { signal })).rejects.toBe(reason)
    await expect(handler.uploads.read(id, { signal })).rejects.toBe(reason)
    expect(opened).toBe(1)
  })

  test('terminate works even if clients may not, and ends an active request', async () => {
    const directory = await temporaryDirectory()
    const site = await serve({
      composer: fileComposer(directory),
      disable: ['termination'],
      hooks: { access: ({ action }) => (action === 'terminate' ? { reject: true } : undefined) },
    })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    await site.handler.uploads.terminate(idOf(url))
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    await site.handler.shutdown()
    expect(await namesIn(directory)).toEqual([])
    await expect(site.handler.uploads.terminate(idOf(url))).rejects.toMatchObject({ status: 404 })
  })

  test('terminate without a Terminator changes nothing', async () => {
    const composer = new StoreComposer().useDataStore(new MemoryStore())
    new MemoryInfoStore().useIn(composer)
    const site = await serve({ composer })
    const url = await createUpload(site)
    await expect(site.handler.uploads.terminate(idOf(url))).rejects.toThrow()
    expect(await offsetOf(url)).toBe(0)
  })

  test('removeExpired removes expired uploads, but none that is finished or being written', async () => {
    const site = await serve({ expiration: { after: 3_600_000 }, takeoverAfter: 60_000 })
    const idle = await createUpload(site, { 'upload-length': '5' })
    const full = await createUpload(site, { 'upload-length': '5' })
    const busy = await createUpload(site, { 'upload-length': '10' })
    await patch(full, 0, 'hello')
    const { request, reply } = openPatch(busy, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(busy),
      (offset) => offset === 5,
    )
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    vi.setSystemTime(Date.now() + 7_200_000)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect((await head(idle)).status).toBeOneOf([404, 410])
    expect(await offsetOf(full)).toBe(5)
    request.end('world')
    expect((await reply).status).toBe(204)
    expect(await offsetOf(busy)).toBe(10)
  })

  test.each<[keyof Uploads, unknown[], RegExp]>([
    [
      'removeExpired',
      ['x'],
      /^uploads\.removeExpired: the options must be a plain object, not 'x'$/,
    ],
    ['removeExpired', [{ singal: 1 }], /removeExpired: .+ 'singal'; did you mean 'signal'\?$/],
    ['removeExpired', [{ signal: {} }], /'signal' must be an AbortSignal, not \{\}$/],
    ['finishPending', [{ singal: 1 }], /^uploads\.finishPending: .+ did you mean 'signal'\?$/],
    ['read', ['a', { rnage: {} }], /^uploads\.read: .+ 'rnage', only 'range', 'signal'$/],
    ['read', ['a', { range: 5 }], /^uploads\.read: option 'range' must be an object, not 5$/],
    ['read', ['a', { range: { start: 1 } }], /option 'range\.end' must be .+, not undefined$/],
    ['read', ['a', { range: { start: -1, end: 1 } }], /option 'range\.start' must be .+, not -1$/],
  ])('%s(...%j) rejects', async (name, given, message) => {
    const { uploads } = (await serve()).handler
    const call = uploads[name] as (...given: unknown[]) => Promise<unknown>
    const error: unknown = await call(...given).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as TypeError).message).toMatch(message)
  })

  test('removeExpired stops when its signal aborts', async () => {
    const site = await serve({ expiration: { after: 1 } })
    await createUpload(site)
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    await expect(site.handler.uploads.removeExpired({ signal: abort.signal })).rejects.toThrow(
      'enough',
    )
  })

  test('an upload that still receives data gets more time', async () => {
    const site = await serve({ expiration: { after: 3_600_000 }, takeoverAfter: 60_000 })
    const url = await createUpload(site, { 'upload-length': '20' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '20' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    vi.setSystemTime(Date.now() + 7_200_000)
    request.write('world')
    await until(
      () => offsetOf(url),
      (offset) => offset === 10,
    )
    request.destroy()
    await reply.catch(() => {})
    expect(await offsetOf(url)).toBe(10)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
  })

  test('sweepEvery removes expired uploads without a call', async () => {
    const site = await serve({ expiration: { after: 1, sweepEvery: 5 } })
    const url = await createUpload(site)
    await until(
      () => head(url),
      ({ status }) => status === 404,
    )
  })

  test('finishPending without a lister finishes nothing', async () => {
    const composer = new StoreComposer()
      .useDataStore(new MemoryStore())
      .useInfoStore(new MemoryInfoStore())
    const site = await serve({ composer })
    expect(await site.handler.uploads.finishPending()).toBe(0)
  })
})
