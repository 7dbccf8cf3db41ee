import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Hooks, StoreComposer } from 'tuskit'
import {
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  remove,
  send,
  serve,
  idOf,
} from '../support/serve.js'
import { noAbort, keptLog, media, newGate, offsetOf } from '../support/stages.js'

/** A finisher that fails that many times first. */
function addFinisher(composer: StoreComposer, failures: number) {
  const calls: string[] = []
  composer.useFinisher({
    async finish({ id }) {
      calls.push(id)
      if (calls.length <= failures) throw new Error('secret finisher failure')
    },
  })
  return calls
}

afterEach(() => void vi.useRealTimers())

describe.each(media)('with %s, a finisher that fails twice', (_, compose) => {
  async function unfinished(options = {}) {
    const composer = await compose()
    const calls = addFinisher(composer, 2)
    const finished: string[] = []
    const log = keptLog()
    const hooks: Hooks = { postFinish: ({ event }) => void finished.push(event.id) }
    const site = await serve({ composer, logger: log, hooks, ...options })
    const url = await createUpload(site, { 'upload-length': '5' })
    const first = await patch(url, 0, 'hello')
    expect(first.status).toBe(500)
    expect(first.headers['upload-offset']).toBeUndefined()
    expect((await send({ method: 'GET', url })).status).toBe(409)
    expect(calls.length).toBe(1)
    return { site, url, calls, finished, log }
  }

  test('runs again for the next PATCH', async () => {
    const { url, calls, finished } = await unfinished()
    const second = await patch(url, 5, '')
    expect([second.status, second.headers['upload-offset']]).toEqual([500, undefined])
    const third = await patch(url, 5, '')
    expect([third.status, third.headers['upload-offset']]).toEqual([204, '5'])
    // Finished, so it does not run again.
    expect((await patch(url, 5, '')).status).toBe(204)
    expect(await offsetOf(url)).toBe(5)
    expect(calls.length).toBe(3)
    expect(finished).toEqual([`${idOf(url)}/post-finish`])
  })

  test('runs again for HEAD, which reports no full offset before it succeeds', async () => {
    const { url, calls, finished } = await unfinished()
    const second = await head(url)
    expect([second.status, second.headers['upload-offset']]).toEqual([423, undefined])
    expect(await offsetOf(url)).toBe(5)
    expect((await send({ method: 'GET', url })).text).toBe('hello')
    expect(calls.length).toBe(3)
    expect(finished).toEqual([`${idOf(url)}/post-finish`])
  })

  test('runs again for finishPending', async () => {
    const { site, url, calls, log } = await unfinished()
    expect(await site.handler.uploads.finishPending()).toBe(0)
    expect(log.lines.filter(({ level }) => level === 'error').length).toBe(2)
    expect(await site.handler.uploads.finishPending()).toBe(1)
    expect(await site.handler.uploads.finishPending()).toBe(0)
    expect(calls.length).toBe(3)
    expect(await offsetOf(url)).toBe(5)
  })

  test('runs again for removeExpired, which removes no full upload', async () => {
    const { site, url, calls } = await unfinished({ expiration: { after: 3_600_000 } })
    vi.setSystemTime(Date.now() + 7_200_000)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(calls.length).toBe(2)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(calls.length).toBe(3)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(calls.length).toBe(3)
    expect(await offsetOf(url)).toBe(5)
    expect((await send({ method: 'GET', url })).text).toBe('hello')
  })

  test('runs again for a final upload on HEAD', async () => {
    const composer = await compose()
    const site = await serve({ composer, logger: keptLog() })
    const url = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    const calls = addFinisher(composer, 1)
    const next = await serve({ composer, logger: keptLog() })
    const path = new URL(url).pathname
    const reply = await send({
      method: 'POST',
      url: `${next.origin}/files`,
      headers: { 'tus-resumable': '1.0.0', 'upload-concat': `final;${path} ${path}` },
    })
    expect(reply.status).toBe(500)
    const final = next.origin + reply.headers.location
    const found = await head(final)
    expect([found.status, found.headers['upload-offset']]).toEqual([200, '10'])
    expect((await send({ method: 'GET', url: final })).text).toBe('hellohello')
    expect(calls.length).toBe(2)
  })
})

test('while finishing runs, HEAD gets 423, and the full offset afterwards', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  let calls = 0
  composer.useFinisher({
    async finish() {
      calls++
      await slow.pass()
    },
  })
  const site = await serve({ composer, finishTimeout: 100, logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '5' })
  const busy = await patch(url, 0, 'hello')
  expect([busy.status, busy.headers['retry-after']]).toEqual([503, '1'])
  expect(busy.headers['upload-offset']).toBeUndefined()
  const reply = await head(url)
  expect([reply.status, reply.headers['upload-offset']]).toEqual([423, undefined])
  slow.open()
  expect(await offsetOf(url)).toBe(5)
  expect(calls).toBe(1)
})

test('a finisher that fails after the response is logged', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  let calls = 0
  composer.useFinisher({
    async finish() {
      if (++calls > 1) return
      await slow.pass()
      throw new Error('late')
    },
  })
  const log = keptLog()
  const site = await serve({ composer, finishTimeout: 100, logger: log })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(503)
  slow.open()
  expect(await offsetOf(url)).toBe(5)
  const errors = log.lines.filter(({ level }) => level === 'error')
  expect(errors.map(({ fields }) => String(fields.error))).toEqual(['Error: late'])
})

test('no HEAD during the last bytes gets the full offset before finishing succeeds', async () => {
  const composer = memoryComposer()
  let done = false
  composer.useFinisher({
    async finish() {
      await new Promise((resolve) => setImmediate(resolve))
      done = true
    },
  })
  const site = await serve({ composer })
  for (let round = 0; round < 30; round++) {
    done = false
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    const heads = [0, 1, 2, 3].map(async () => {
      const offset = await offsetOf(url)
      if (offset === 10) expect(done).toBe(true)
    })
    request.end('world')
    expect((await reply).status).toBe(204)
    await Promise.all(heads)
  }
})

test('an implied finish costs no second write of the record', async () => {
  const composer = memoryComposer()
  const info = composer.slots().infoStore!
  let updates = 0
  composer.useInfoStore({
    create: (upload) => info.create(upload, noAbort),
    get: (id) => info.get(id, noAbort),
    delete: (id) => info.delete(id, noAbort),
    update(upload) {
      updates++
      return info.update(upload, noAbort)
    },
  })
  const site = await serve({ composer })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect(await offsetOf(url)).toBe(5)
  expect(updates).toBe(0)
  expect((await remove(url)).status).toBe(204)
})

test('a sweep logs every failure of a hook, also one that says that an upload is missing', async () => {
  const logger = keptLog()
  const hooks: Hooks = {
    preFinish: async () => {
      await site.handler.uploads.inspect('another')
    },
  }
  const composer = memoryComposer()
  const site = await serve({ composer, logger, hooks })
  const url = await createUpload(site, { 'upload-length': '5' })
  await patch(url, 0, 'hello')
  const before = logger.lines.length
  expect(await site.handler.uploads.finishPending()).toBe(0)
  expect(logger.lines.slice(before)).toMatchObject([
    { level: 'error', message: 'The sweep failed for an upload', fields: { uploadId: idOf(url) } },
  ])
})
