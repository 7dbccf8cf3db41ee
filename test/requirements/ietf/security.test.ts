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
import {
  append,
  appending,
  ask,
  chunked,
  create,
  creation,
  end,
  more,
  problemIn,
  started,
  stateOf,
  urlIn,
  versions,
} from './draft.js'
import { silent } from '../../support/silent.js'

describe.each(versions)('R-140 the access hook, version %s', (version) => {
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
    const url = urlIn(await create(site, version, 'hello', more(version)), site)
    await ask('HEAD', url, version)
    await ask('GET', url, version)
    await append(url, version, 5, '', more(version))
    await append(url, version, 5, '', end(version))
    await send({ method: 'GET', url })
    await ask('DELETE', url, version)
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
      const url = await started(site, version, 'hello', mine)
      const replies = [
        await create(site, version, 'hello', end(version)),
        await ask('HEAD', url, version),
        await ask('GET', url, version),
        await append(url, version, 5, ' world', end(version)),
        await append(url, version, 5, '', { ...more(version), 'upload-length': '20' }),
        await append(url, version, 4, ' world', end(version)),
        await ask('DELETE', url, version),
      ]
      for (const [at, reply] of replies.entries()) {
        const { status, text, headers } = reply
        if (reject === true && at !== 1) expect(problemIn(reply).code).toBe('ERR_ACCESS_DENIED')
        if (reject !== true) {
          expect([text, headers['www-authenticate']]).toEqual([at === 1 ? '' : 'who?', 'Basic'])
        }
        expect(status).toBe(reject === true ? 403 : 401)
        // The response does not end the upload, and does not reveal the offset.
        expect(headers).toMatchObject(more(version))
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).not.toHaveProperty('location')
      }
      const ids: string[] = []
      const { signal } = new AbortController()
      for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
      expect(ids).toEqual([idOf(url)])
      const { upload, offset } = await site.handler.uploads.inspect(idOf(url))
      expect([upload.length, upload.completes, offset]).toEqual([undefined, undefined, 5])
      const last = await append(url, version, 5, ' world', { ...end(version), ...mine })
      expect(last.headers).toMatchObject(end(version))
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
    const url = await started(site, version, '', mine)
    const fields = { ...mine, ...end(version), 'content-length': '11' }
    const sent = appending(url, version, 0, '', fields)
    const { request, reply } = openRequest({ ...sent, body: 'hello' })
    await untilStored(site, url, 5)
    const others = [
      await ask('HEAD', url, version),
      await ask('GET', url, version),
      await append(url, version, 5, ' world', end(version)),
      await ask('DELETE', url, version),
    ]
    expect(others.map(({ status }) => status)).toEqual([403, 403, 403, 403])
    request.end(' world')
    expect((await reply).headers).toMatchObject({ 'upload-offset': '11', ...end(version) })
  })

  test('R-140 protects rejections and recorded responses', async () => {
    const composer = memoryComposer()
    const secret = { status: 200, headers: { 'x-key': '7' }, body: 'secret' }
    for (const verdict of [{ response: secret }, { reject: { ...secret, status: 422 } }]) {
      const first = await serve({ composer, hooks: { preFinish: () => verdict } })
      const url = await started(first, version, 'hello')
      expect((await append(url, version, 5, '', end(version))).text).toBe('secret')
      const next = await serve({ composer, hooks: { access: () => ({ reject: true }) } })
      const there = url.replace(first.origin, next.origin)
      const replies: Reply[] = [
        await append(there, version, 5, '', end(version)),
        await ask('HEAD', there, version),
        await ask('GET', there, version),
        await ask('DELETE', there, version),
      ]
      for (const { status, headers, text } of replies) {
        expect(status).toBe(403)
        expect(text).not.toContain('secret')
        expect(headers).not.toHaveProperty('x-key')
        expect(headers).toMatchObject(more(version))
      }
    }
  })

  test('R-140 refuses every request when it fails, and does not reveal the reason', async () => {
    const composer = memoryComposer()
    const url = await started(await serve({ composer }), version, 'hello')
    const hooks: Hooks = {
      access() {
        throw new Error('password of the database')
      },
    }
    const site = await serve({ composer, hooks, logger: silent })
    const there = `${site.origin}/files/${idOf(url)}`
    const replies = [
      await create(site, version, 'hello', end(version)),
      await append(there, version, 5, ' world', end(version)),
      await ask('GET', there, version),
      await ask('DELETE', there, version),
    ]
    for (const reply of replies) {
      expect([reply.status, problemIn(reply).code]).toEqual([500, 'ERR_HOOK_FAILED'])
      expect(reply.headers).toMatchObject(more(version))
      expect(reply.text).not.toContain('password')
    }
    expect((await site.handler.uploads.inspect(idOf(url))).offset).toBe(5)
  })
})

test('R-140 is not called for an upload that does not exist', async () => {
  const asked: string[] = []
  const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
  for (const method of ['HEAD', 'GET', 'DELETE'] as const) {
    expect((await ask(method, `${site.origin}/files/nobody`, 9)).status).toBe(404)
  }
  expect((await append(`${site.origin}/files/nobody`, 9, 0, 'x', end(9))).status).toBe(404)
  expect(asked).toEqual([])
})

test('R-141 URLs have 122 random bits', async () => {
  const site = await serve()
  const urls = new Set<string>()
  for (const version of versions) {
    const url = urlIn(await create(site, version, '', more(version)), site)
    expect(url).toMatch(/\/files\/[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
    urls.add(url)
  }
  expect(urls.size).toBe(versions.length)
})

describe('R-142 names and types from a client', () => {
  test('R-142 are made harmless in headers', async () => {
    const site = await serve()
    const fields = {
      ...end(9),
      'content-type': 'text/html',
      'content-disposition': 'inline; filename="../x\\"y.html"',
    }
    const url = urlIn(await create(site, 9, 'hello', fields), site)
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
    const fields = { ...end(9), 'content-type': type, 'content-disposition': disposition }
    const reply = await create(site, 9, 'hello', fields)
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
      const seen: (string | number)[] = []
      const site = await serve({
        composer: await compose(),
        takeoverAfter: 60_000,
        hooks: {
          preFinish: async ({ upload }) => void seen.push('pre-finish', upload.length!),
          postFinish: ({ upload }) => void seen.push('post-finish', upload.length!),
        },
      })
      const url = await started(site, version, 'hello', { 'upload-length': '11' })
      // The end was declared, but did not arrive.
      const sent = appending(url, version, 5, '', { ...end(version), 'content-length': '6' })
      const { request, reply } = openRequest({ ...sent, body: ' wor' })
      await untilStored(site, url, 9)
      request.destroy()
      await expect(reply).rejects.toThrow()
      expect(await stateOf(url, version)).toMatchObject({ 'upload-offset': '9', ...more(version) })
      // All bytes are there, but no request declared the end.
      await append(url, version, 9, 'ld', more(version))
      await stateOf(url, version)
      expect(await site.handler.uploads.finishPending()).toBe(0)
      expect(seen).toEqual([])
      expect((await send({ method: 'GET', url })).status).toBe(204)
      await append(url, version, 11, '', end(version))
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
      const site = await serve({ idleTimeout: 20 })
      const url = await started(site, version, 'hello')
      const framings = [{ 'content-length': '10' }, chunked]
      for (const framing of framings) {
        const sent = appending(url, version, 5, '', { ...end(version), ...framing })
        const { status, headers } = await openRequest(sent).reply
        expect([status, headers['upload-offset'], headers.connection]).toEqual([503, '5', 'close'])
        expect(headers).toMatchObject(more(version))
      }
      const fields = { ...end(version), 'content-length': '11' }
      const created = await openRequest({ ...creation(site, version, 'hello', fields) }).reply
      expect([created.status, created.headers['upload-offset']]).toEqual([503, '5'])
      const resumed = await append(urlIn(created, site), version, 5, ' world', end(version))
      expect(resumed.headers).toMatchObject(end(version))
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
    const urls = [await started(site, 9, 'hello'), await started(site, 9, 'hello')]
    await until(
      async () => held.size,
      (count) => count === 2,
    )
    const reply = await create(site, 9, 'hello', end(9))
    expect([reply.status, reply.headers['retry-after']]).toEqual([429, '60'])
    expect(reply.headers).toMatchObject(more(9))
    expect((await ask('DELETE', urls[0]!, 9)).status).toBe(204)
    await until(
      async () => held.size,
      (count) => count === 1,
    )
    await started(site, 9, 'hello')
  })
})
