import type { OutgoingHttpHeaders } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { HandlerOptions, HookContext, Hooks } from 'tuskit'
import { describe, expect, test } from 'vitest'
import {
  fileComposer,
  openRequest,
  type Reply,
  send,
  sendRaw,
  serve,
  type Site,
  stores,
  temporaryDirectory,
  until,
} from '../../support/serve.js'
import { connectHttp2, sendHttp2, serveHttp2 } from '../../support/serve-http2.js'
import { startServer } from '../../support/server-process.js'
import { newGate } from '../../support/stages.js'
import { silent } from '../../support/silent.js'
import { chunked, defined, draft9, draftOf, type Version, versions } from './draft.js'

type Sent = Readonly<Record<string, string | undefined>>

const refusing = [3, 4, 5, 6, 7, 8]
const replaying: Version[] = [9, undefined]

type Origin = Pick<Site, 'origin'>

function creation({ origin }: Origin, version: Version, body: string, headers: Sent) {
  const all = { ...draftOf(version).named, 'content-length': String(body.length), ...headers }
  return { method: 'POST', url: `${origin}/files`, headers: defined(all), body }
}

function appending(url: string, version: Version, offset: number, body: string, headers: Sent) {
  const all = {
    ...draftOf(version).named,
    'content-type': 'application/partial-upload',
    'upload-offset': String(offset),
    'content-length': String(body.length),
    ...headers,
  }
  return { method: 'PATCH', url, headers: defined(all), body }
}

function append(...given: Parameters<typeof appending>): Promise<Reply> {
  return send(appending(...given))
}

/** Creates an upload with these bytes, which are not the end, and returns its URL. */
async function started(site: Origin, version: Version, body: string, headers: Sent = {}) {
  const reply = await send(creation(site, version, body, { ...draftOf(version).more, ...headers }))
  expect(reply.status).toBe(201)
  return new URL(reply.headers.location!, site.origin).href
}

/** Completes an upload, and returns its URL. */
async function completed(site: Origin, version: Version): Promise<string> {
  const draft = draftOf(version)
  const url = await started(site, version, 'hello')
  const reply = await append(url, version, 5, ' world', draft.end)
  expect(reply.headers).toMatchObject(draft.end)
  return url
}

function head(url: string, version: Version): Promise<Reply> {
  return send({ method: 'HEAD', url, headers: draftOf(version).named })
}

const complete = (version: Version) => ({
  'upload-offset': '11',
  'upload-length': '11',
  ...draftOf(version).end,
})
const incomplete = (version: Version) => ({
  'upload-offset': '11',
  'upload-length': '11',
  ...draftOf(version).more,
})

/** The ways in which the last byte, and the header that says so, can arrive. */
const endings: readonly {
  readonly how: string
  readonly finish: (site: Origin, version: Version) => Promise<ReturnType<typeof appending>>
}[] = [
  {
    how: 'a creation',
    finish: async (site, version) => creation(site, version, 'hello world', draftOf(version).end),
  },
  {
    how: 'a chunked creation',
    finish: async (site, version) =>
      creation(site, version, 'hello world', { ...draftOf(version).end, ...chunked }),
  },
  {
    how: 'an append',
    finish: async (site, version) =>
      appending(await started(site, version, 'hello'), version, 5, ' world', draftOf(version).end),
  },
  {
    how: 'a chunked append',
    finish: async (site, version) => {
      const url = await started(site, version, 'hello', { 'upload-length': '11' })
      return appending(url, version, 5, ' world', { ...draftOf(version).end, ...chunked })
    },
  },
  {
    how: 'an empty append',
    finish: async (site, version) =>
      appending(await started(site, version, 'hello world'), version, 11, '', draftOf(version).end),
  },
]

const ways = endings.flatMap((ending) => versions.map((version) => ({ version, ...ending })))

/** A pre-finish hook that records the ids of its uploads and returns what `result` returns. */
function noted(result: () => ReturnType<NonNullable<Hooks['preFinish']>>) {
  const asked: string[] = []
  const preFinish = ({ upload }: HookContext) => {
    asked.push(upload.id)
    return result()
  }
  return { asked, hooks: { preFinish } }
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), logger: silent, ...options })
  }

  test.each(ways)(
    'R-065 R-066 $how that is the end gets 201 with Location, version $version',
    async ({ finish, version }) => {
      const { asked, hooks } = noted(() => {})
      const at = await site({ hooks })
      const { status, headers, text } = await send(await finish(at, version))
      expect([status, text]).toEqual([201, ''])
      expect(headers).toMatchObject({
        'upload-offset': '11',
        'upload-limit': 'min-size=0',
        location: `/files/${asked[0]}`,
        ...draftOf(version).end,
      })
      expect(asked.length).toBe(1)
      const url = at.origin + headers.location
      const { status: reported, headers: state } = await head(url, version)
      expect(reported).toBe(204)
      expect(state).toMatchObject(complete(version))
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(ways)(
    'R-065 $how that is the end gets the response that the application chooses, version $version',
    async ({ finish, version }) => {
      const headers = { 'X-File': '7', 'Upload-Complete': '?0', 'Upload-Offset': '3' }
      const response = { status: 200, headers, body: '{"file":7}' }
      const { asked, hooks } = noted(() => ({ response }))
      const reply = await send(await finish(await site({ hooks }), version))
      expect([reply.status, reply.text]).toEqual([200, '{"file":7}'])
      expect(reply.headers).toMatchObject({
        'x-file': '7',
        'upload-offset': '11',
        ...draftOf(version).end,
      })
      expect(asked.length).toBe(1)
    },
  )

  const verdicts = [422, 500, 503].flatMap((status) =>
    versions.map((version) => ({ status, version })),
  )

  test.each(verdicts)(
    'R-065 R-071 a rejection with $status is final, and every later request gets it, version $version',
    async ({ status, version }) => {
      const draft = draftOf(version)
      const headers = { 'x-verdict': 'virus' }
      const { asked, hooks } = noted(() => ({ reject: { status, headers, body: 'not this' } }))
      const at = await site({ hooks })
      const url = await started(at, version, 'hello')
      const first = await append(url, version, 5, ' world', draft.end)
      const again = [
        await append(url, version, 11, '', draft.end),
        await append(url, version, 5, ' world', draft.end),
        await send({ method: 'GET', url, headers: draft.named }),
        await head(url, version),
      ]
      for (const reply of [first, ...again]) {
        expect(reply.status).toBe(status)
        expect(reply.headers).toMatchObject({ ...headers, ...draft.end })
      }
      const texts = [first, ...again].map(({ text }) => text)
      expect(texts).toEqual(['not this', 'not this', 'not this', 'not this', ''])
      expect(asked.length).toBe(1)
    },
  )

  test.each(versions)(
    'R-065 the rejection of a creation at its end is final, version %s',
    async (version) => {
      const draft = draftOf(version)
      const { hooks } = noted(() => ({ reject: true }))
      const reply = await send(creation(await site({ hooks }), version, 'hello', draft.end))
      expect(reply.status).toBe(400)
      expect(reply.headers).toMatchObject(draft.end)
    },
  )

  test.each(versions)(
    'R-066 an empty append completes an empty upload, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version, '')
      const { status, headers } = await append(url, version, 0, '', draft.end)
      expect(status).toBe(201)
      expect(headers).toMatchObject({ 'upload-offset': '0', ...draft.end })
      const state = { 'upload-offset': '0', 'upload-length': '0', ...draft.end }
      expect((await head(url, version)).headers).toMatchObject(state)
      const content = await send({ method: 'GET', url })
      expect([content.status, content.text]).toEqual([200, ''])
    },
  )

  test.each(refusing)(
    'R-071 every append to a complete upload gets 400, version %i',
    async (version) => {
      const draft = draftOf(version)
      const { asked, hooks } = noted(() => {})
      const url = await completed(await site({ hooks }), version)
      for (const [offset, body, says] of [
        [11, '', draft.end],
        [11, '', draft.more],
        [11, '!', draft.end],
        [11, '!', { ...draft.more, ...chunked }],
        [5, ' world', draft.end],
        [0, 'hello world', draft.end],
      ] as const) {
        const { status, headers, text } = await append(url, version, offset, body, says)
        expect(status).toBe(400)
        expect(headers).toMatchObject({ 'upload-offset': '11', ...draft.more })
        expect(JSON.parse(text)).toMatchObject({
          type: 'https://iana.org/assignments/http-problem-types#completed-upload',
          title: 'Upload Is Completed',
          status: 400,
        })
      }
      expect((await head(url, version)).headers).toMatchObject(complete(version))
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
      expect(asked.length).toBe(1)
    },
  )

  test.each(replaying)(
    'R-071 a client that repeats the end of a complete upload gets the recorded response, version %s',
    async (version) => {
      const draft = draftOf(version)
      const response = { status: 200, headers: { 'x-file': '7' }, body: '{"file":7}' }
      const { asked, hooks } = noted(() => ({ response }))
      const url = await started(await site({ hooks }), version, 'hello')
      const first = await append(url, version, 5, ' world', draft.end)
      expect(first.text).toBe('{"file":7}')
      for (let round = 0; round < 2; round++) {
        const again = await append(url, version, 11, '', draft.end)
        const { date: _, ...headers } = again.headers
        expect([again.status, again.text]).toEqual([200, '{"file":7}'])
        expect(first.headers).toMatchObject(headers)
      }
      expect(asked.length).toBe(1)
    },
  )

  test.each(replaying)(
    'R-071 so does a client whose chunked body turns out to be empty, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site({
        hooks: noted(() => ({ response: { status: 200, body: 'done' } })).hooks,
      })
      const url = await completed(at, version)
      const http1 = await append(url, version, 11, '', { ...draft.end, ...chunked })
      expect([http1.status, http1.text]).toEqual([200, 'done'])
      expect(http1.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      const session = connectHttp2(await serveHttp2(at.handler as never))
      const { 'content-length': _, ...headers } = appending(url, version, 11, '', draft.end).headers
      const pseudo = { ':method': 'PATCH', ':path': new URL(url).pathname }
      const http2 = await sendHttp2(session, { ...pseudo, ...headers })
      expect([http2.status, http2.text]).toEqual([200, 'done'])
      expect(http2.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
    },
  )

  test.each(replaying)(
    'R-071 a byte that has arrived before the append is handled is noticed, version %s',
    async (version) => {
      const at = await site({
        hooks: {
          async access({ request }) {
            if (request!.method === 'PATCH') await until(async () => request!.complete, Boolean)
          },
        },
      })
      const url = await completed(at, version)
      const { end } = draftOf(version)
      const { status } = await append(url, version, 11, '!', { ...end, ...chunked })
      expect(status).toBe(409)
    },
  )

  test.each(replaying)(
    'R-071 an empty HTTP/2 body that has ended before the append is handled is complete, version %s',
    async (version) => {
      const ended = async ({ stream }: Http2ServerRequest) =>
        void (await until(async () => stream.readableEnded, Boolean))
      const at = await site({
        hooks: {
          async access({ request }) {
            if (request!.httpVersionMajor === 2)
              await ended(request as unknown as Http2ServerRequest)
          },
        },
      })
      const url = await completed(at, version)
      const { 'content-length': _, ...headers } = appending(
        url,
        version,
        11,
        '',
        draftOf(version).end,
      ).headers
      const pseudo = { ':method': 'PATCH', ':path': new URL(url).pathname }
      const { handler } = at
      for (const listener of [
        handler,
        async (request: Http2ServerRequest, response: Http2ServerResponse) => {
          await ended(request)
          await handler(request, response)
        },
      ]) {
        const session = connectHttp2(await serveHttp2(listener as never))
        expect((await sendHttp2(session, { ...pseudo, ...headers })).status).toBe(201)
      }
    },
  )

  test.each(replaying)(
    'R-071 a client that repeats the end gets the default response again too, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await completed(await site(), version)
      const again = await append(url, version, 11, '', draft.end)
      expect(again.status).toBe(201)
      expect(again.headers).toMatchObject({
        location: new URL(url).pathname,
        'upload-offset': '11',
        ...draft.end,
      })
    },
  )

  test.each(replaying)(
    'R-071 any other append to a complete upload gets 409 with the offset, version %s',
    async (version) => {
      const draft = draftOf(version)
      const { asked, hooks } = noted(() => {})
      const url = await completed(await site({ hooks }), version)
      for (const [offset, body, says] of [
        [11, '', draft.more],
        [11, '!', draft.end],
        [11, '!', { ...draft.end, ...chunked }],
        [11, '!', draft.more],
        [5, '', draft.end],
        [5, ' world', draft.end],
        [0, 'hello world', draft.end],
      ] as const) {
        const { status, headers } = await append(url, version, offset, body, says)
        expect([offset, body, status]).toEqual([offset, body, 409])
        expect(headers).toMatchObject({ 'upload-offset': '11', ...draft.more })
      }
      expect((await head(url, version)).headers).toMatchObject(complete(version))
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
      expect(asked.length).toBe(1)
    },
  )

  test.each(ways)(
    'R-065 finishing that fails is retried by HEAD: $how, version $version',
    async ({ finish, version }) => {
      const draft = draftOf(version)
      const failures = ['first', 'second']
      const { asked, hooks } = noted(() => {
        const failure = failures.shift()
        if (failure !== undefined) throw new Error(failure)
      })
      const at = await site({ hooks })
      const failed = await send(await finish(at, version))
      expect(failed.status).toBe(500)
      expect(failed.headers).toMatchObject(draft.more)
      expect(failed.text).not.toContain('first')
      const url = `${at.origin}/files/${asked[0]}`
      const second = await head(url, version)
      expect(second.status).toBe(500)
      expect(second.headers).toMatchObject(draft.more)
      const third = await head(url, version)
      expect(third.status).toBe(204)
      expect(third.headers).toMatchObject(complete(version))
      expect(asked).toEqual([asked[0], asked[0], asked[0]])
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(ways)(
    'R-065 R-066 finishing that fails is retried by an empty append: $how, version $version',
    async ({ finish, version }) => {
      const draft = draftOf(version)
      const failures = ['first', 'second']
      const response = { status: 200, body: 'done' }
      const { asked, hooks } = noted(() => {
        const failure = failures.shift()
        if (failure !== undefined) throw new Error(failure)
        return { response }
      })
      const at = await site({ hooks })
      expect((await send(await finish(at, version))).status).toBe(500)
      const url = `${at.origin}/files/${asked[0]}`
      expect((await append(url, version, 11, '', draft.end)).status).toBe(500)
      const { status, headers, text } = await append(url, version, 11, '', draft.end)
      expect([status, text]).toEqual([200, 'done'])
      expect(headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect(asked.length).toBe(3)
    },
  )

  test('R-065 the application can retry finishing that failed', async () => {
    const failures = ['first']
    const { asked, hooks } = noted(() => {
      const failure = failures.shift()
      if (failure !== undefined) throw new Error(failure)
    })
    const at = await site({ hooks })
    const full = await started(at, 9, 'hello', { 'upload-length': '5' })
    expect((await send(creation(at, 9, 'hello world', draft9.end))).status).toBe(500)
    expect(await at.handler.uploads.finishPending()).toBe(1)
    expect(asked).toEqual([asked[0], asked[0]])
    const url = `${at.origin}/files/${asked[0]}`
    expect((await head(url, 9)).headers).toMatchObject(complete(9))
    // Having all bytes is not the end.
    expect((await head(full, 9)).headers).toMatchObject({ 'upload-offset': '5', ...draft9.more })
  })

  test('R-065 a client gets 503 with Retry-After during a long finish, and the end later', async () => {
    const { pass, open } = newGate()
    const { asked, hooks } = noted(pass)
    const at = await site({ hooks, finishTimeout: 50, lockTimeout: 50 })
    const url = await started(at, 9, 'hello')
    const busy = [await append(url, 9, 5, ' world', draft9.end), await head(url, 9)]
    for (const { status, headers } of busy) {
      expect(status).toBe(503)
      expect(headers).toMatchObject({ 'retry-after': '1', ...draft9.more })
    }
    open()
    await at.handler.shutdown()
    const { status, headers } = await head(url, 9)
    expect(status).toBe(204)
    expect(headers).toMatchObject(complete(9))
    expect(asked.length).toBe(1)
  })

  test('R-065 R-071 a client lost during the finish finds the upload complete, with its response', async () => {
    const { reached, pass, open } = newGate()
    const response = { status: 200, body: 'done' }
    const { asked, hooks } = noted(async () => {
      await pass()
      return { response }
    })
    const url = await started(await site({ hooks }), 9, 'hello')
    const { request, reply } = openRequest(appending(url, 9, 5, ' world', draft9.end))
    request.end()
    await reached
    request.destroy()
    await expect(reply).rejects.toThrow()
    const asking = head(url, 9)
    open()
    expect((await asking).headers).toMatchObject(complete(9))
    const { status, text } = await append(url, 9, 11, '', draft9.end)
    expect([status, text]).toEqual([200, 'done'])
    expect(asked.length).toBe(1)
  })
})

test('R-065 a Location that the application chooses is the only one', async () => {
  const response = { status: 201, headers: { Location: '/photos/7' } }
  const site = await serve({ hooks: { preFinish: () => ({ response }) } })
  const url = await started(site, 9, 'hello')
  const lines = (method: string, target: string, headers: OutgoingHttpHeaders) =>
    [`${method} ${target} HTTP/1.1`, 'host: a', 'connection: close']
      .concat(Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`))
      .join('\r\n')
  const requests = [
    creation(site, 9, 'hello world', draft9.end),
    appending(url, 9, 5, ' world', draft9.end),
    appending(url, 9, 11, '', draft9.end),
  ]
  for (const { method, url: target, headers, body } of requests) {
    const head = lines(method, new URL(target).pathname, headers)
    const text = await sendRaw(site.port, `${head}\r\n\r\n${body}`)
    expect(text).toMatch(/^HTTP\/1\.1 201 /)
    expect(text.match(/^location: .*$/gim)).toEqual([
      expect.stringMatching(/^location: \/photos\/7\r?$/i),
    ])
  }
})

test.each([
  [
    'response',
    { response: { status: 200, headers: { 'x-file': '7' }, body: 'done' } },
    200,
    'done',
  ],
  ['rejection', { reject: { status: 422, headers: { 'x-file': '7' }, body: 'no' } }, 422, 'no'],
] as const)(
  'R-071 the %s is recorded, and sent again after a restart',
  async (_, result, status, body) => {
    const directory = await temporaryDirectory()
    const composer = fileComposer(directory)
    const site = await serve({ composer, hooks: { preFinish: () => result } })
    const url = await started(site, 9, 'hello')
    expect((await append(url, 9, 5, ' world', draft9.end)).status).toBe(status)
    const next = await serve({ composer: fileComposer(directory) })
    const reply = await append(url.replace(site.origin, next.origin), 9, 11, '', draft9.end)
    expect([reply.status, reply.headers['x-file'], reply.text]).toEqual([status, '7', body])
    expect(reply.headers['upload-complete']).toBe('?1')
  },
)

describe('law 5: a crash between the last byte and the record of the finish', () => {
  const crashed = endings.flatMap((ending) =>
    [3, 6, 9, undefined].map((version) => ({ version, ...ending })),
  )

  async function crash(finish: (typeof endings)[number]['finish'], version: Version) {
    const directory = await temporaryDirectory()
    const first = await startServer({ directory, preFinish: true, stop: 'in preFinish' })
    const { request, reply } = openRequest(await finish(first, version))
    request.end()
    await first.stopped
    await first.kill()
    await expect(reply).rejects.toThrow()
    const composer = fileComposer(directory)
    const ids: string[] = []
    const signal = new AbortController().signal
    for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
    expect(ids.length).toBe(1)
    return { composer, id: ids[0]! }
  }

  test.each(crashed)(
    'R-065 HEAD finishes an upload that $how completed, version $version',
    async ({ finish, version }) => {
      const { composer, id } = await crash(finish, version)
      const { asked, hooks } = noted(() => {})
      const site = await serve({ composer, hooks })
      const url = `${site.origin}/files/${id}`
      const { status, headers } = await head(url, version)
      expect(status).toBe(204)
      expect(headers).toMatchObject(complete(version))
      expect(asked).toEqual([id])
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(endings)(
    'R-065 R-066 an empty append finishes an upload that $how completed',
    async ({ finish }) => {
      const { composer, id } = await crash(finish, 9)
      const { asked, hooks } = noted(() => ({ response: { status: 200, body: 'done' } }))
      const site = await serve({ composer, hooks })
      const { status, headers, text } = await append(
        `${site.origin}/files/${id}`,
        9,
        11,
        '',
        draft9.end,
      )
      expect([status, text]).toEqual([200, 'done'])
      expect(headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
      expect(asked).toEqual([id])
    },
  )

  test('R-065 the start of a server finishes an upload that a creation completed', async () => {
    const { composer, id } = await crash(endings[0]!.finish, 9)
    const { asked, hooks } = noted(() => {})
    const site = await serve({ composer, hooks })
    expect(await site.handler.uploads.finishPending()).toBe(1)
    expect(asked).toEqual([id])
    expect((await head(`${site.origin}/files/${id}`, 9)).headers).toMatchObject(complete(9))
  })

  /** Kills a server when all bytes are stored, but nothing else about them is. */
  async function crashBehindTheBytes(version: Version, method: string, framing: Sent) {
    const draft = draftOf(version)
    const directory = await temporaryDirectory()
    const first = await startServer({ directory, stop: 'after dataStore.append' })
    const empty = method === 'PATCH' ? await started(first, version, '') : undefined
    const request =
      empty === undefined
        ? creation(first, version, 'hello world', { ...draft.end, ...framing })
        : appending(empty, version, 0, 'hello world', { ...draft.end, ...framing })
    const lost = openRequest(request)
    lost.request.end()
    await first.stopped
    await first.kill()
    await expect(lost.reply).rejects.toThrow()
    const composer = fileComposer(directory)
    const { asked, hooks } = noted(() => {})
    const site = await serve({ composer, hooks })
    const ids: string[] = []
    const { signal } = new AbortController()
    for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
    return { site, asked, url: `${site.origin}/files/${ids[0]}` }
  }

  const behind = ['POST', 'PATCH'].flatMap((method) =>
    [3, 6, 9, undefined].map((version) => ({ method, version })),
  )

  test.each(behind)(
    'R-065 all bytes of a $method of known size are the end, version $version',
    async ({ method, version }) => {
      const { site, asked, url } = await crashBehindTheBytes(version, method, {})
      expect(await site.handler.uploads.finishPending()).toBe(1)
      expect((await head(url, version)).headers).toMatchObject(complete(version))
      expect(asked.length).toBe(1)
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(behind)(
    'R-065 R-066 all bytes of a chunked $method wait for an append that says it is the end, version $version',
    async ({ method, version }) => {
      const draft = draftOf(version)
      const { site, asked, url } = await crashBehindTheBytes(version, method, chunked)
      expect(await site.handler.uploads.finishPending()).toBe(0)
      const state = (await head(url, version)).headers
      expect(state).toMatchObject({ 'upload-offset': '11', ...draft.more })
      expect(asked).toEqual([])
      const reply = await append(url, version, 11, '', draft.end)
      expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect(asked.length).toBe(1)
    },
  )

  test('R-065 an upload with all bytes stays unfinished until a request declares the end', async () => {
    const directory = await temporaryDirectory()
    const first = await startServer({ directory, preFinish: true, stop: 'in preFinish' })
    const url = await started(first, 9, 'hello world', { 'upload-length': '11' })
    await first.kill()
    const { asked, hooks } = noted(() => {})
    const site = await serve({ composer: fileComposer(directory), hooks })
    expect(await site.handler.uploads.finishPending()).toBe(0)
    const state = await head(url.replace(first.origin, site.origin), 9)
    expect(state.headers).toMatchObject(incomplete(9))
    expect(asked).toEqual([])
  })
})
