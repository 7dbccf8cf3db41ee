import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Hooks, StoreComposer } from 'tuskit'
import {
  chunk,
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  remove,
  send,
  serve,
} from '../serve.js'
import { gate, keptLog, media, offsetOf } from '../stages.js'

/** A finisher that fails so many times first. */
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

const idOf = (url: string) => url.split('/').at(-1)!

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

  test('is driven by the next PATCH', async () => {
    const { url, calls, finished } = await unfinished()
    const second = await patch(url, 5, '')
    expect([second.status, second.headers['upload-offset']]).toEqual([500, undefined])
    const third = await patch(url, 5, '')
    expect([third.status, third.headers['upload-offset']]).toEqual([204, '5'])
    // Done: nothing is driven any more.
    expect((await patch(url, 5, '')).status).toBe(204)
    expect(await offsetOf(url)).toBe(5)
    expect(calls.length).toBe(3)
    expect(finished).toEqual([`${idOf(url)}/post-finish`])
  })

  test('is driven by HEAD, which tells no full offset before it is done', async () => {
    const { url, calls, finished } = await unfinished()
    const second = await head(url)
    expect([second.status, second.headers['upload-offset']]).toEqual([500, undefined])
    expect(await offsetOf(url)).toBe(5)
    expect((await send({ method: 'GET', url })).text).toBe('hello')
    expect(calls.length).toBe(3)
    expect(finished).toEqual([`${idOf(url)}/post-finish`])
  })

  test('is driven by finishPending', async () => {
    const { site, url, calls, log } = await unfinished()
    expect(await site.handler.uploads.finishPending()).toBe(0)
    expect(log.lines.filter(({ level }) => level === 'error').length).toBe(2)
    expect(await site.handler.uploads.finishPending()).toBe(1)
    expect(await site.handler.uploads.finishPending()).toBe(0)
    expect(calls.length).toBe(3)
    expect(await offsetOf(url)).toBe(5)
  })

  test('is driven by removeExpired, which removes no full upload', async () => {
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

  test('is driven for a final upload by HEAD', async () => {
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
    const asked = await head(final)
    expect([asked.status, asked.headers['upload-offset']]).toEqual([200, '10'])
    expect((await send({ method: 'GET', url: final })).text).toBe('hellohello')
    expect(calls.length).toBe(2)
  })
})

test('while finishing takes its time, HEAD is told to come back, and then the end', async () => {
  const composer = memoryComposer()
  const slow = gate()
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
  const asked = await head(url)
  expect([asked.status, asked.headers['upload-offset']]).toEqual([423, undefined])
  slow.open()
  expect(await offsetOf(url)).toBe(5)
  expect(calls).toBe(1)
})

test('a finisher that fails after the request was answered is logged', async () => {
  const composer = memoryComposer()
  const slow = gate()
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

test('no reader beside the last bytes is told a full offset before finishing is done', async () => {
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

describe.each(media)('with %s, a verdict', (_, compose) => {
  test('that rejects is replayed, and the hook is not asked again', async () => {
    let asked = 0
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish() {
          asked++
          return {
            reject: { status: 422, headers: { 'x-verdict': 'virus' }, body: 'not this' },
          }
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    const replies = [
      await patch(url, 0, 'hello'),
      await patch(url, 5, ''),
      await send({ method: 'GET', url }),
      await head(url),
    ]
    for (const { status, headers } of replies) {
      expect([status, headers['x-verdict'], headers['upload-offset']]).toEqual([
        422,
        'virus',
        undefined,
      ])
    }
    expect(replies.map(({ text }) => text)).toEqual(['not this', 'not this', 'not this', ''])
    expect(asked).toBe(1)
  })

  test('of a creation that brought everything is replayed, too', async () => {
    const site = await serve({
      composer: await compose(),
      hooks: { preFinish: () => ({ reject: true }) },
    })
    const reply = await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, 'upload-length': '5' },
      body: 'hello',
    })
    expect(reply.status).toBe(400)
    const url = site.origin + reply.headers.location
    expect((await head(url)).status).toBe(400)
    expect((await patch(url, 5, '')).status).toBe(400)
  })

  test('that chooses the answer is replayed', async () => {
    let asked = 0
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish() {
          asked++
          return { response: { status: 200, headers: { 'x-file': '7' }, body: '{"file":7}' } }
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    for (const reply of [await patch(url, 0, 'hello'), await patch(url, 5, '')]) {
      expect([reply.status, reply.headers['x-file'], reply.text]).toEqual([200, '7', '{"file":7}'])
      expect(reply.headers['upload-offset']).toBe('5')
    }
    expect(await offsetOf(url)).toBe(5)
    expect(asked).toBe(1)
  })

  test('survives a restart', async () => {
    const composer = await compose()
    const hooks: Hooks = { preFinish: () => ({ reject: { status: 451, body: 'no' } }) }
    const site = await serve({ composer, hooks })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(451)
    const next = await serve({ composer })
    const again = await patch(url.replace(site.origin, next.origin), 5, '')
    expect([again.status, again.text]).toEqual([451, 'no'])
  })
})

test('a pre-finish hook that throws is asked again, with the same event id', async () => {
  const events: string[] = []
  const site = await serve({
    logger: keptLog(),
    hooks: {
      preFinish({ event }) {
        events.push(event.id)
        if (events.length === 1) throw new Error('database is down')
      },
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const first = await patch(url, 0, 'hello')
  expect([first.status, first.headers['upload-offset']]).toEqual([500, undefined])
  expect(await offsetOf(url)).toBe(5)
  const id = `${idOf(url)}/pre-finish`
  expect(events).toEqual([id, id])
})

test('an implied finish costs no second write of the record', async () => {
  const composer = memoryComposer()
  const info = composer.slots().infoStore!
  let updates = 0
  composer.useInfoStore({
    create: (upload) => info.create(upload),
    get: (id) => info.get(id),
    delete: (id) => info.delete(id),
    update(upload) {
      updates++
      return info.update(upload)
    },
  })
  const site = await serve({ composer })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect(await offsetOf(url)).toBe(5)
  expect(updates).toBe(0)
  expect((await remove(url)).status).toBe(204)
})
