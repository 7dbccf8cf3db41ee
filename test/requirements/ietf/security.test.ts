import { describe, expect, test } from 'vitest'
import type { AccessAction, Hooks } from 'tuskit'
import {
  download,
  fileComposer,
  idOf,
  memoryComposer,
  namesIn,
  openRequest,
  type Reply,
  send,
  sendRaw,
  serve,
  stores,
  temporaryDirectory,
  until,
  untilStored,
} from '../../support/serve.js'
import { chunked, draft9, draftOf, problemIn, urlIn, versions } from './draft.js'
import { silent } from '../../support/silent.js'

describe.each(versions)('R-140 the access hook, version %s', (version) => {
  const draft = draftOf(version)
  test('R-072 R-140 is called for each request, with its action', async () => {
    const asked: [AccessAction, string | undefined, number | undefined][] = []
    const site = await serve({
      hooks: {
        access: ({ action, upload, event }) => {
          expect(event).toEqual({ type: 'access', id: `${upload?.id ?? ''}/access` })
          asked.push([action, upload?.id, upload?.length])
        },
      },
    })
    const url = urlIn(await draft.create(site, 'hello', draft.more), site)
    await draft.ask('HEAD', url)
    await draft.ask('GET', url)
    await draft.append(url, 5, '', draft.more)
    await draft.append(url, 5, '', draft.end)
    await send({ method: 'GET', url })
    await draft.ask('DELETE', url)
    const id = idOf(url)
    expect(asked).toEqual([
      ['create', undefined, undefined],
      ['inspect', id, undefined],
      ['inspect', id, undefined],
      ['append', id, undefined],
      ['append', id, undefined],
      ['read', id, 5],
      ['terminate', id, 5],
    ])
  })

  test('R-140 stops a client that knows only the URL from getting or changing anything', async () => {
    const rejections = [
      true,
      { status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'who?' },
    ]
    for (const reject of rejections) {
      const hooks: Hooks = {
        access: ({ request }) => ({ reject: request!.headers.authorization ? false : reject }),
      }
      const composer = memoryComposer()
      const site = await serve({ composer, hooks })
      const mine = { authorization: 'Bearer 1' }
      const url = await draft.started(site, 'hello', mine)
      const replies = [
        await draft.create(site, 'hello', draft.end),
        await draft.ask('HEAD', url),
        await draft.ask('GET', url),
        await draft.append(url, 5, ' world', draft.end),
        await draft.append(url, 5, '', { ...draft.more, 'upload-length': '20' }),
        await draft.append(url, 4, ' world', draft.end),
        await draft.ask('DELETE', url),
      ]
      for (const [at, reply] of replies.entries()) {
        const { status, text, headers } = reply
        if (reject === true && at !== 1) expect(problemIn(reply).code).toBe('ERR_ACCESS_DENIED')
        if (reject !== true) {
          expect([text, headers['www-authenticate']]).toEqual([at === 1 ? '' : 'who?', 'Basic'])
        }
        expect(status).toBe(reject === true ? 403 : 401)
        // The response does not end the upload, and does not reveal the offset.
        expect(headers).toMatchObject(draft.more)
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).not.toHaveProperty('location')
      }
      const ids: string[] = []
      const { signal } = new AbortController()
      for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
      expect(ids).toEqual([idOf(url)])
      const { upload, offset } = await site.handler.uploads.inspect(idOf(url))
      expect([upload.length, upload.completes, offset]).toEqual([undefined, undefined, 5])
      const last = await draft.append(url, 5, ' world', { ...draft.end, ...mine })
      expect(last.headers).toMatchObject(draft.end)
      expect((await send({ method: 'GET', url })).status).toBe(reject === true ? 403 : 401)
      expect((await send({ method: 'GET', url, headers: mine })).text).toBe('hello world')
    }
  })

  test('R-140 stops a client from ending the request of another', async () => {
    const site = await serve({
      takeoverAfter: 60_000,
      hooks: { access: ({ request }) => ({ reject: request!.headers.authorization !== '1' }) },
    })
    const mine = { authorization: '1' }
    const url = await draft.started(site, '', mine)
    const fields = { ...mine, ...draft.end, 'content-length': '11' }
    const sent = draft.appending(url, 0, '', fields)
    const { request, reply } = openRequest({ ...sent, body: 'hello' })
    await untilStored(site, url, 5)
    const others = [
      await draft.ask('HEAD', url),
      await draft.ask('GET', url),
      await draft.append(url, 5, ' world', draft.end),
      await draft.ask('DELETE', url),
    ]
    expect(others.map(({ status }) => status)).toEqual([403, 403, 403, 403])
    request.end(' world')
    expect((await reply).headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
  })

  test('R-140 protects rejections and recorded responses', async () => {
    const composer = memoryComposer()
    const secret = { status: 200, headers: { 'x-key': '7' }, body: 'secret' }
    for (const verdict of [{ response: secret }, { reject: { ...secret, status: 422 } }]) {
      const first = await serve({ composer, hooks: { preFinish: () => verdict } })
      const url = await draft.started(first, 'hello')
      expect((await draft.append(url, 5, '', draft.end)).text).toBe('secret')
      const next = await serve({ composer, hooks: { access: () => ({ reject: true }) } })
      const there = url.replace(first.origin, next.origin)
      const replies: Reply[] = [
        await draft.append(there, 5, '', draft.end),
        await draft.ask('HEAD', there),
        await draft.ask('GET', there),
        await draft.ask('DELETE', there),
      ]
      for (const { status, headers, text } of replies) {
        expect(status).toBe(403)
        expect(text).not.toContain('secret')
        expect(headers).not.toHaveProperty('x-key')
        expect(headers).toMatchObject(draft.more)
      }
    }
  })

  test('R-140 refuses every request when it fails, and does not reveal the reason', async () => {
    const composer = memoryComposer()
    const url = await draft.started(await serve({ composer }), 'hello')
    const hooks: Hooks = {
      access() {
        throw new Error('password of the database')
      },
    }
    const site = await serve({ composer, hooks, logger: silent })
    const there = `${site.origin}/files/${idOf(url)}`
    const replies = [
      await draft.create(site, 'hello', draft.end),
      await draft.append(there, 5, ' world', draft.end),
      await draft.ask('GET', there),
      await draft.ask('DELETE', there),
    ]
    for (const reply of replies) {
      expect([reply.status, problemIn(reply).code]).toEqual([500, 'ERR_HOOK_FAILED'])
      expect(reply.headers).toMatchObject(draft.more)
      expect(reply.text).not.toContain('password')
    }
    expect((await site.handler.uploads.inspect(idOf(url))).offset).toBe(5)
  })
})

test('R-140 is not called for an upload that does not exist', async () => {
  const asked: string[] = []
  const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
  for (const method of ['HEAD', 'GET', 'DELETE'] as const) {
    expect((await draft9.ask(method, `${site.origin}/files/nobody`)).status).toBe(404)
  }
  expect((await draft9.append(`${site.origin}/files/nobody`, 0, 'x', draft9.end)).status).toBe(404)
  expect(asked).toEqual([])
})

test('R-141 URLs have 122 random bits', async () => {
  const site = await serve()
  const urls = new Set<string>()
  for (const version of versions) {
    const draft = draftOf(version)
    const url = urlIn(await draft.create(site, '', draft.more), site)
    expect(url).toMatch(/\/files\/[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
    urls.add(url)
  }
  expect(urls.size).toBe(versions.length)
})

describe('R-142 names and types from a client', () => {
  test('R-142 are made harmless in headers', async () => {
    const site = await serve()
    const fields = {
      ...draft9.end,
      'content-type': 'text/html',
      'content-disposition': 'inline; filename="../x\\"y.html"',
    }
    const url = urlIn(await draft9.create(site, 'hello', fields), site)
    const { headers } = await send({ method: 'GET', url })
    expect(headers['content-disposition']).toMatch(/^attachment; filename="x_y.html"/)
    expect(headers['content-security-policy']).toBe('sandbox')
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  const hostile = [
    ["inline; filename*=UTF-8''a%0d%0aset-cookie:%20b=1%0d%0a%0d%0a.txt", 'application/pdf'],
    ["inline; filename*=UTF-8''a%00.txt", 'text/plain'],
    ["inline; filename*=UTF-8''..%2f..%5c..%2fetc%2fpasswd", 'image/png'],
    ['inline; filename="a.txt"', 'text/html; charset="\\"'],
    ['inline; filename="a.svg"', 'image/svg+xml'],
    ['inline; filename="a.js"', 'text/javascript'],
  ] as const

  test.each(hostile)('R-142 never become headers or paths: %s, %s', async (disposition, type) => {
    const directory = await temporaryDirectory()
    const site = await serve({ composer: fileComposer(directory) })
    const fields = { ...draft9.end, 'content-type': type, 'content-disposition': disposition }
    const reply = await draft9.create(site, 'hello', fields)
    expect(reply.status).toBe(201)
    const id = idOf(urlIn(reply, site))
    const files = await namesIn(directory)
    expect(files.filter((name) => !name.includes(id))).toEqual([])
    const raw = `GET /files/${id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    const [head = '', body] = (await sendRaw(site.port, raw)).split('\r\n\r\n')
    expect(body).toBe('hello')
    expect(head).not.toMatch(/^set-cookie/im)
    expect(head).not.toMatch(/^content-disposition: .*(?:\.\.|\/|\\|\0)/im)
    // Only types that cannot carry a script are inline.
    if (!/plain|png/.test(type)) expect(head).toMatch(/^content-disposition: attachment/im)
  })
})

describe.each(stores)('R-143 $store store', ({ compose }) => {
  test.each(versions)(
    'R-143 pre-finish is called when the content is complete, and not before, version %s',
    async (version) => {
      const draft = draftOf(version)
      const seen: (string | number)[] = []
      const site = await serve({
        composer: await compose(),
        takeoverAfter: 60_000,
        hooks: {
          preFinish: async ({ upload }) => void seen.push('pre-finish', upload.length!),
          postFinish: ({ upload }) => void seen.push('post-finish', upload.length!),
        },
      })
      const url = await draft.started(site, 'hello', { 'upload-length': '11' })
      // The end was declared, but did not arrive.
      const sent = draft.appending(url, 5, '', { ...draft.end, 'content-length': '6' })
      const { request, reply } = openRequest({ ...sent, body: ' wor' })
      await untilStored(site, url, 9)
      request.destroy()
      await expect(reply).rejects.toThrow()
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '9', ...draft.more })
      // All bytes are there, but no request declared the end.
      await draft.append(url, 9, 'ld', draft.more)
      await draft.stateOf(url)
      expect(await site.handler.uploads.finishPending()).toBe(0)
      expect(seen).toEqual([])
      expect((await send({ method: 'GET', url })).status).toBe(204)
      await draft.append(url, 11, '', draft.end)
      expect(await download(url)).toBe('hello world')
      await site.server.stop()
      expect(seen).toEqual(['pre-finish', 11, 'post-finish', 11])
    },
  )
})

describe('R-144 a slow client', () => {
  test.each(versions)(
    'R-144 is disconnected after idleTimeout, and may continue later, version %s',
    async (version) => {
      const draft = draftOf(version)
      const site = await serve({ idleTimeout: 20 })
      const url = await draft.started(site, 'hello')
      const framings = [{ 'content-length': '10' }, chunked]
      for (const framing of framings) {
        const sent = draft.appending(url, 5, '', { ...draft.end, ...framing })
        const { status, headers } = await openRequest(sent).reply
        expect([status, headers['upload-offset'], headers.connection]).toEqual([503, '5', 'close'])
        expect(headers).toMatchObject(draft.more)
      }
      const fields = { ...draft.end, 'content-length': '11' }
      const created = await openRequest({ ...draft.creation(site, 'hello', fields) }).reply
      expect([created.status, created.headers['upload-offset']]).toEqual([503, '5'])
      const resumed = await draft.append(urlIn(created, site), 5, ' world', draft.end)
      expect(resumed.headers).toMatchObject(draft.end)
    },
  )

  test('R-144 can be refused further uploads by the application', async () => {
    const held = new Set<string>()
    const site = await serve({
      hooks: {
        preCreate: () =>
          held.size < 2 ? {} : { reject: { status: 429, headers: { 'Retry-After': '60' } } },
        postCreate: ({ upload }) => void held.add(upload.id),
        postTerminate: ({ upload }) => void held.delete(upload.id),
      },
    })
    const urls = [await draft9.started(site, 'hello'), await draft9.started(site, 'hello')]
    await until(
      async () => held.size,
      (count) => count === 2,
    )
    const reply = await draft9.create(site, 'hello', draft9.end)
    expect([reply.status, reply.headers['retry-after']]).toEqual([429, '60'])
    expect(reply.headers).toMatchObject(draft9.more)
    expect((await draft9.ask('DELETE', urls[0]!)).status).toBe(204)
    await until(
      async () => held.size,
      (count) => count === 1,
    )
    await draft9.started(site, 'hello')
  })
})
