import { describe, expect, test } from 'vitest'
import type { AccessAction, Hooks } from 'tuskit'
import {
  createUpload,
  download,
  fileComposer,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  send,
  serve,
  temporaryDirectory,
  until,
  type Reply,
} from '../serve.js'
import { keptLog, offsetOf } from '../stages.js'

const idOf = (url: string) => url.split('/').at(-1)!

describe('access', () => {
  /** A site whose hook refuses one action. */
  const refusing = (action: AccessAction) =>
    serve({
      hooks: { access: (asked) => (asked.action === action ? { reject: true } : undefined) },
    })

  test.each<[AccessAction, (url: string, origin: string) => Promise<Reply>]>([
    ['create', (_, origin) => post({ origin }, { 'upload-length': '1' })],
    ['inspect', (url) => head(url)],
    ['append', (url) => patch(url, 0, 'hello')],
    ['terminate', (url) => remove(url)],
    ['read', (url) => send({ method: 'GET', url })],
    ['concatenate', (url, origin) => post({ origin }, { 'upload-concat': `final;${url}` })],
  ])('refuses %s', async (action, request) => {
    const site = await refusing(action)
    const composed =
      action === 'create'
        ? `${site.origin}/files/none`
        : await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    const reply = await request(composed, site.origin)
    expect(reply.status).toBe(403)
    if (action !== 'create') {
      const id = idOf(composed)
      expect((await site.handler.uploads.inspect(id)).offset).toBe(0)
    }
  })

  test('is asked for a final upload and for each of its parts, once', async () => {
    const asked: [AccessAction, string | undefined][] = []
    const site = await serve({
      hooks: { access: ({ action, upload }) => void asked.push([action, upload?.id]) },
    })
    const urls: string[] = []
    for (const text of ['a', 'b']) {
      const headers = { 'upload-length': '1', 'upload-concat': 'partial' }
      urls.push((await post(site, headers, text)).headers.location!)
    }
    asked.length = 0
    const [a, b] = urls
    const reply = await post(site, { 'upload-concat': `final;${a} ${b} ${a}` })
    expect(reply.status).toBe(201)
    expect(asked).toEqual([
      ['create', undefined],
      ['concatenate', idOf(a!)],
      ['concatenate', idOf(b!)],
    ])
  })

  test('is not asked for OPTIONS', async () => {
    const site = await serve({ hooks: { access: () => ({ reject: true }) } })
    const { status } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    expect(status).toBe(200)
  })

  test('decides the answer', async () => {
    const site = await serve({
      hooks: {
        access: () => ({
          reject: { status: 401, headers: { 'www-authenticate': 'Basic' }, body: 'who?' },
        }),
      },
    })
    const { status, headers, text } = await post(site, { 'upload-length': '1' })
    expect([status, headers['www-authenticate'], text]).toEqual([401, 'Basic', 'who?'])
  })

  test('comes before verdicts and traces, which are not for everybody', async () => {
    const composer = memoryComposer()
    const first = await serve({ composer, hooks: { preFinish: () => ({ reject: true }) } })
    const url = await createUpload(first, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(400)
    const second = await serve({ composer, hooks: { access: () => ({ reject: true }) } })
    const again = url.replace(first.origin, second.origin)
    for (const reply of [
      head(again),
      patch(again, 5, ''),
      remove(again),
      send({ method: 'GET', url: again }),
    ]) {
      expect((await reply).status).toBe(403)
    }
  })

  test('refuses before the body is looked at, and before a running request is touched', async () => {
    let allowed = true
    const site = await serve({
      stallTimeout: 60_000,
      stalledAfter: 60_000,
      hooks: {
        access: () => (allowed ? undefined : { reject: true }),
      },
    })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    allowed = false
    expect((await patch(url, 5, 'world')).status).toBe(403)
    expect((await remove(url)).status).toBe(403)
    request.end('world')
    expect((await reply).status).toBe(204)
  })
})

describe('pre-create', () => {
  test('refuses, and nothing exists', async () => {
    const composer = memoryComposer()
    const site = await serve({
      composer,
      hooks: { preCreate: () => ({ reject: { status: 409, body: 'no more' } }) },
    })
    const reply = await post(site, { 'upload-length': '5' }, 'hello')
    expect([reply.status, reply.text, reply.headers.location]).toEqual([409, 'no more', undefined])
    const ids = composer.slots().infoLister!.ids({ signal: new AbortController().signal })
    expect(await ids[Symbol.asyncIterator]().next()).toMatchObject({ done: true })
  })

  test('chooses id, metadata and place', async () => {
    const directory = await temporaryDirectory()
    const composer = fileComposer(directory)
    const site = await serve({
      composer,
      hooks: {
        preCreate: ({ upload }) => ({
          id: 'chosen',
          metadata: { ...upload.metadata.values, filename: 'ü.txt' },
          place: { path: 'by-user/7.bin' },
        }),
      },
    })
    const metadata = `owner ${Buffer.from('me').toString('base64')}`
    const headers = { 'upload-length': '5', 'upload-metadata': metadata }
    const reply = await post(site, headers, 'hello')
    expect(reply.headers.location).toBe('/files/chosen')
    const { upload } = await site.handler.uploads.inspect('chosen')
    expect({ ...upload.metadata.values }).toEqual({ owner: 'me', filename: 'ü.txt' })
    expect(upload.storage.at).toEqual({ path: 'by-user/7.bin' })
    expect(await download(`${site.origin}/files/chosen`)).toBe('hello')
    expect((await head(`${site.origin}/files/chosen`)).headers['upload-metadata']).toBe(
      `${metadata},filename ${Buffer.from('ü.txt').toString('base64')}`,
    )
  })

  test('gets 409 for an id that is taken, and the upload that has it goes on', async () => {
    const site = await serve({ stallTimeout: 60_000, hooks: { preCreate: () => ({ id: 'one' }) } })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    expect((await post(site, { 'upload-length': '10' })).status).toBe(409)
    request.end('world')
    expect((await reply).status).toBe(204)
  })

  test.each<[string, object]>([
    ['an id that is none', { id: '../x' }],
    ['an id that is no text', { id: 7 }],
    ['a place that the store does not know', { place: { bucket: 'x' } }],
    ['a place outside the store', { place: { path: '../x' } }],
    ['a metadata key that cannot be sent', { metadata: { 'a b': 'c' } }],
    ['a metadata value that is no text', { metadata: { a: 7 } }],
  ])('fails with %s', async (_, verdict) => {
    const log = keptLog()
    const composer = fileComposer(await temporaryDirectory())
    const site = await serve({ composer, logger: log, hooks: { preCreate: () => verdict } })
    expect((await post(site, { 'upload-length': '1' })).status).toBe(500)
    expect(log.lines.length).toBe(1)
  })
})

describe('post-receive', () => {
  test('stops an upload for good', async () => {
    const site = await serve({
      progressInterval: 1,
      stallTimeout: 60_000,
      hooks: {
        postReceive: ({ offset }) =>
          offset > 0 ? { stop: { status: 422, body: 'not a picture' } } : undefined,
      },
    })
    const url = await createUpload(site, { 'upload-length': '1000000' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '1000000' })
    request.write('hello')
    const stopped = await reply
    expect([stopped.status, stopped.text]).toEqual([422, 'not a picture'])
    expect((await head(url)).status).toBe(422)
    expect((await patch(url, 5, 'more')).status).toBe(422)
  })

  test('is told offsets that are stored, never falling, one at a time', async () => {
    const offsets: number[] = []
    let running = 0
    const { signal } = new AbortController()
    const composer = memoryComposer()
    const site = await serve({
      composer,
      progressInterval: 1,
      hooks: {
        async postReceive({ offset, upload }) {
          expect(++running).toBe(1)
          const stored = await composer.slots().dataStore!.stat(upload, { signal })
          expect(stored.offset).toBeGreaterThanOrEqual(offset)
          offsets.push(offset)
          running--
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '100' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '100' })
    for (let sent = 0; sent < 100; sent += 10) {
      request.write('0123456789')
      await until(
        async () => offsets,
        (told) => (told.at(-1) ?? 0) >= sent + 10 || sent === 90,
      )
    }
    request.end()
    expect((await reply).status).toBe(204)
    expect(offsets.length).toBeGreaterThanOrEqual(9)
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
  })
})

describe('pre-terminate', () => {
  test('refuses, and the upload stays', async () => {
    const site = await serve({ hooks: { preTerminate: () => ({ reject: true }) } })
    const url = await createUpload(site)
    expect((await remove(url)).status).toBe(400)
    expect(await offsetOf(url)).toBe(0)
    await expect(site.handler.uploads.terminate(idOf(url))).rejects.toMatchObject({
      code: 'ERR_REJECTED',
    })
  })

  test('is not asked before expiry', async () => {
    const site = await serve({
      expiration: { after: 1 },
      hooks: { preTerminate: () => ({ reject: true }) },
    })
    await createUpload(site)
    await until(
      () => site.handler.uploads.removeExpired(),
      (removed) => removed === 1,
    )
  })
})

describe('an answer that is none', () => {
  /** Sends what makes the hook run, and returns the reply to that. */
  const drive: Record<string, (hooks: Hooks) => Promise<[Reply, number]>> = {
    async access(hooks) {
      const log = keptLog()
      const site = await serve({ hooks, logger: log })
      return [await post(site, { 'upload-length': '5' }), log.lines.length]
    },
    async preCreate(hooks) {
      return drive.access!(hooks)
    },
    async preFinish(hooks) {
      const log = keptLog()
      const site = await serve({ hooks, logger: log })
      return [
        await patch(await createUpload(site, { 'upload-length': '1' }), 0, 'a'),
        log.lines.length,
      ]
    },
    async preTerminate(hooks) {
      const log = keptLog()
      const site = await serve({ hooks, logger: log })
      return [await remove(await createUpload(site)), log.lines.length]
    },
  }
  const answers: [string, unknown][] = [
    ['a misspelt member', { rejected: true }],
    ['another misspelt member', { Reject: true }],
    ['false', false],
    ['a text', 'reject'],
    ['a number', 403],
    ['a reason that is a text', { reject: 'because' }],
    ['a status that is none', { reject: { status: 42 } }],
    ['a header that cannot be sent', { reject: { headers: { 'x-a': 'b\r\nc: d' } } }],
    ['a body that is no text', { reject: { body: { error: 1 } } }],
    ['a misspelt member of the answer', { reject: { statusCode: 403 } }],
  ]
  const cases = Object.keys(drive).flatMap((hook) =>
    answers.map(([what, answer]) => [what, hook, answer] as const),
  )
  test.each(cases)('%s, from %s, is an error, not consent', async (_, hook, answer) => {
    const [reply, lines] = await drive[hook]!({ [hook]: () => answer })
    expect(reply.status).toBe(500)
    expect(reply.text).toContain('ERR_HOOK_FAILED')
    expect(lines).toBe(1)
  })

  test('from pre-finish, is asked again and records nothing', async () => {
    const answers = [{ response: { status: 404 } }, { response: { status: 200, body: 'fine' } }]
    const site = await serve({
      logger: keptLog(),
      hooks: { preFinish: () => answers.shift()! },
    })
    const url = await createUpload(site, { 'upload-length': '1' })
    expect((await patch(url, 0, 'a')).status).toBe(500)
    const again = await patch(url, 1, '')
    expect([again.status, again.text]).toEqual([200, 'fine'])
  })
})

test('a hook that throws fails the request, and nothing is recorded', async () => {
  const fail = () => {
    throw new Error('hook')
  }
  for (const name of ['access', 'preCreate', 'preFinish', 'preTerminate'] as const) {
    let failing = true
    const log = keptLog()
    const hooks = { [name]: () => (failing ? fail() : undefined) }
    const site = await serve({ hooks, logger: log })
    const make = () => post(site, { 'upload-length': '5' })
    if (name === 'access' || name === 'preCreate') {
      expect((await make()).status).toBe(500)
      failing = false
      expect((await make()).status).toBe(201)
    } else {
      const url = site.origin + (await make()).headers.location
      const act = name === 'preFinish' ? () => patch(url, 0, 'hello') : () => remove(url)
      expect((await act()).status).toBe(500)
      failing = false
      expect((await head(url)).status).toBe(200)
    }
    expect(log.lines.map(({ level }) => level)).toEqual(['error'])
  }
})
