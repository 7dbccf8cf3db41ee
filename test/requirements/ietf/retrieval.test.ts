import type { OutgoingHttpHeaders } from 'node:http'
import type { HandlerOptions } from 'tuskit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  openRequest,
  type Reply,
  send,
  serve,
  type Site,
  stores,
  untilStored,
} from '../../support/serve.js'
import { newGate } from '../../support/stages.js'
import { silent } from '../../support/silent.js'
import { draftOf, type Version, versions } from './draft.js'

const strict = [3, 4, 5, 6]
const lenient: Version[] = [7, 8, 9, undefined]
const methods = ['HEAD', 'GET']
const each = methods.flatMap((method) => versions.map((version) => ({ method, version })))

const hour = 3_600_000

afterEach(() => void vi.useRealTimers())

function creation(version: Version, end: boolean, headers: OutgoingHttpHeaders = {}) {
  const draft = draftOf(version)
  return { ...draft.named, ...draft.completes(end), ...headers }
}

/** Creates an upload with these bytes, and returns its URL. */
async function created(
  { origin }: Site,
  version: Version,
  headers: OutgoingHttpHeaders,
  body = '',
  end = false,
): Promise<string> {
  const reply = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers: creation(version, end, { 'content-length': String(body.length), ...headers }),
    body,
  })
  expect(reply.status).toBe(201)
  return new URL(reply.headers.location!, origin).href
}

function ask(method: string, url: string, version: Version, headers: OutgoingHttpHeaders = {}) {
  return send({ method, url, headers: { ...draftOf(version).named, ...headers } })
}

/** Appends the end. */
function finish(url: string, version: Version, offset: number, body: string): Promise<Reply> {
  const draft = draftOf(version)
  return draft.append(url, offset, body, draft.end)
}

function ageIn({ headers }: Reply, key: string): number {
  const [, age] = new RegExp(`(?:^|, )${key}=(\\d+)(?:,|$)`).exec(String(headers['upload-limit']))!
  return Number(age)
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), logger: silent, ...options })
  }

  test.each(each)(
    'R-050 R-051 R-052 R-053 $method returns the state of an upload with 204, version $version',
    async ({ method, version }) => {
      const at = await site()
      const url = await created(at, version, { 'upload-length': '11' }, 'hello')
      const { status, headers, text } = await ask(method, url, version)
      expect(status).toBe(204)
      expect(headers).toMatchObject({
        'upload-offset': '5',
        'upload-length': '11',
        'upload-limit': 'min-size=0',
        'cache-control': 'no-store',
        ...draftOf(version).completes(false),
      })
      expect(text).toBe('')
    },
  )

  test.each(versions)(
    'R-051 R-053 HEAD reports a complete upload with 204, version %s',
    async (version) => {
      const url = await created(await site(), version, {}, 'hello', true)
      const { status, headers } = await ask('HEAD', url, version)
      expect(status).toBe(204)
      expect(headers).toMatchObject({
        'upload-offset': '5',
        'upload-length': '5',
        'upload-limit': 'min-size=0',
        'cache-control': 'no-store',
        ...draftOf(version).completes(true),
      })
    },
  )

  test.each(methods)('R-051 %s reports no length while it is unknown', async (method) => {
    const url = await created(await site(), 9, {}, 'hello')
    const { status, headers } = await ask(method, url, 9)
    expect([status, headers['upload-offset']]).toEqual([204, '5'])
    expect(headers).not.toHaveProperty('upload-length')
  })

  test.each(each)(
    'R-054 $method ends a request in progress, and appends continue at its offset, version $version',
    async ({ method, version }) => {
      const at = await site({ takeoverAfter: 60_000 })
      const url = await created(at, version, { 'upload-length': '11' }, 'hel')
      const slow = openRequest({
        method: 'PATCH',
        url,
        headers: creation(version, true, {
          'content-type': 'application/partial-upload',
          'upload-offset': '3',
          'content-length': '8',
        }),
        body: 'lo',
      })
      await untilStored(at, url, 5)
      const { status, headers } = await ask(method, url, version)
      expect([status, headers['upload-offset']]).toEqual([204, '5'])
      await expect(slow.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
      const reply = await finish(url, version, 5, ' world')
      expect(reply.headers).toMatchObject({
        'upload-offset': '11',
        ...draftOf(version).completes(true),
      })
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(each)(
    'R-055 $method reports an upload with all bytes but no end as not complete, version $version',
    async ({ method, version }) => {
      const draft = draftOf(version)
      const finished: string[] = []
      const preFinish = ({ upload }: { upload: { id: string } }) => void finished.push(upload.id)
      const at = await site({ hooks: { preFinish } })
      const url = await created(at, version, { 'upload-length': '5' }, 'hello')
      const { status, headers } = await ask(method, url, version)
      expect(status).toBe(204)
      expect(headers).toMatchObject({
        'upload-offset': '5',
        'upload-length': '5',
        ...draft.completes(false),
      })
      expect(finished).toEqual([])
      const end = await finish(url, version, 5, '')
      expect(end.headers).toMatchObject(draft.completes(true))
      expect(finished).toEqual([url.split('/').at(-1)])
    },
  )

  test.each(versions)(
    'R-056 GET returns no content before the end, version %s',
    async (version) => {
      const url = await created(await site(), version, { 'upload-length': '5' }, 'hello')
      const { status, text } = await ask('GET', url, version)
      expect([status, text]).toEqual([204, ''])
    },
  )

  test.each([3, 4, 5, 6, 7, 8, 9])(
    'R-056 GET returns no content to a draft client after the end either, version %i',
    async (version) => {
      const url = await created(await site(), version, {}, 'hello', true)
      const { status, headers, text } = await ask('GET', url, version)
      expect([status, text]).toEqual([204, ''])
      expect(headers).toMatchObject({ 'upload-offset': '5', ...draftOf(version).completes(true) })
    },
  )

  test('R-056 GET without a version downloads a finished upload together with its state', async () => {
    const url = await created(await site(), 9, {}, 'hello', true)
    const { status, headers, text } = await ask('GET', url, undefined)
    expect([status, text]).toEqual([200, 'hello'])
    expect(headers).toMatchObject({
      'upload-offset': '5',
      'upload-complete': '?1',
      'upload-limit': 'min-size=0',
    })
  })

  test.each(each)(
    'R-057 $method of an unknown, cancelled, expired or overrun upload gets 404 or 410, version $version',
    async ({ method, version }) => {
      const at = await site({ expiration: { after: hour } })
      const unknown = `${at.origin}/files/unknown`
      const cancelled = await created(at, version, { 'upload-length': '5' }, 'hel')
      expect((await ask('DELETE', cancelled, version)).status).toBe(204)
      const overrun = await created(at, version, { 'upload-length': '5' }, 'hel')
      const { status } = await send({
        method: 'PATCH',
        url: overrun,
        headers: creation(9, true, {
          'content-type': 'application/partial-upload',
          'upload-offset': '3',
          'transfer-encoding': 'chunked',
        }),
        body: 'lo world',
      })
      expect(status).toBe(400)
      const expired = await created(at, version, { 'upload-length': '5' }, 'hel')
      expect((await ask(method, expired, version)).status).toBe(204)
      vi.setSystemTime(Date.now() + 2 * hour)
      for (const url of [unknown, cancelled, overrun, expired]) {
        const reply = await ask(method, url, version)
        expect(reply.status).toBeOneOf(url === unknown ? [404] : [404, draftOf(version).goneStatus])
        expect(reply.headers).not.toHaveProperty('upload-offset')
        if (method === 'HEAD') expect(reply.text).toBe('')
      }
    },
  )

  test.each(strict)(
    'R-058 HEAD, GET and DELETE with fields of an append get 400, version %i',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const url = await created(at, version, { 'upload-length': '5' }, 'hel')
      for (const method of ['HEAD', 'GET', 'DELETE']) {
        for (const field of [{ 'upload-offset': '3' }, draft.completes(false)]) {
          const { status, headers } = await ask(method, url, version, field)
          expect([method, status]).toEqual([method, 400])
          expect(headers).toMatchObject(draft.completes(false))
        }
      }
      expect((await ask('HEAD', url, version)).headers['upload-offset']).toBe('3')
    },
  )

  test.each(lenient)(
    'R-058 HEAD, GET and DELETE ignore fields of an append, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const url = await created(at, version, { 'upload-length': '5' }, 'hel')
      const fields = { 'upload-offset': '1', ...draft.completes(true) }
      for (const method of methods) {
        const { status, headers } = await ask(method, url, version, fields)
        expect(status).toBe(204)
        expect(headers).toMatchObject({ 'upload-offset': '3', ...draft.completes(false) })
      }
      expect((await ask('DELETE', url, version, fields)).status).toBe(204)
      expect((await ask('HEAD', url, version)).status).toBeOneOf([404, 410])
    },
  )
})

test.each(each)(
  'R-050 $method returns the limits and the remaining time, version $version',
  async ({ method, version }) => {
    const site = await serve({
      maxSize: 1_000,
      minAppendSize: 2,
      maxAppendSize: 500,
      expiration: { after: hour },
    })
    const url = await created(site, version, { 'upload-length': '11' }, 'hello')
    const early = await ask(method, url, version)
    const limits = String(early.headers['upload-limit']).split(', ')
    expect(limits).toEqual(
      expect.arrayContaining(['max-size=1000', 'min-append-size=2', 'max-append-size=500']),
    )
    const key = (version ?? 9) <= 6 ? 'expires' : 'max-age'
    expect(limits.length).toBe(4)
    expect(ageIn(early, key)).toBeGreaterThan(3_500)
    expect(ageIn(early, key)).toBeLessThanOrEqual(3_600)
    vi.setSystemTime(Date.now() + hour / 4)
    const late = ageIn(await ask(method, url, version), key)
    expect(late).toBeLessThanOrEqual(2_700)
    expect(late).toBeGreaterThan(2_600)
  },
)

test.each(methods)('R-053 a 204 has no Content-Length, %s', async (method) => {
  const site = await serve()
  const url = await created(site, 9, { 'upload-length': '11' }, 'hello')
  const { status, headers } = await ask(method, url, 9)
  expect(status).toBe(204)
  // RFC 9110 section 8.6.
  expect(headers).not.toHaveProperty('content-length')
  expect(headers).not.toHaveProperty('transfer-encoding')
})

test.each(methods)('R-052 %s is never redirected, and its errors have no-store', async (method) => {
  const site = await serve()
  const url = await created(site, 9, { 'upload-length': '11' }, 'hello')
  expect((await ask(method, `${url}/`, 9)).status).toBe(404)
  expect((await ask(method, `${site.origin}/files/unknown`, 9)).status).toBe(404)
  const { headers } = await ask(method, `${site.origin}/files/unknown`, 9)
  expect(headers['cache-control']).toBe('no-store')
})

test('R-056 GET without a version waits for the finish, and downloads the upload', async () => {
  const gate = newGate()
  const asked = newGate()
  asked.open()
  const hooks: HandlerOptions['hooks'] = {
    preFinish: () => gate.pass(),
    access: ({ action }) => (action === 'inspect' ? asked.pass() : undefined),
  }
  const site = await serve({ hooks })
  const url = await created(site, 9, { 'upload-length': '5' }, 'hel')
  const finishing = finish(url, 9, 3, 'lo')
  await gate.reached
  const reply = ask('GET', url, undefined)
  await asked.reached
  gate.open()
  expect((await finishing).headers['upload-complete']).toBe('?1')
  const { status, text, headers } = await reply
  expect([status, text, headers['upload-complete']]).toEqual([200, 'hello', '?1'])
})

test('R-054 the offset that HEAD reports during a creation is good for the next append', async () => {
  const composer = await stores[0]!.compose()
  const site = await serve({ composer, interimResponses: true, takeoverAfter: 60_000 })
  const { request, reply } = openRequest({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: creation(9, true, { 'content-length': '11' }),
    body: 'hello',
  })
  const location = await new Promise<string>((resolve) => {
    request.once('information', ({ headers }) => resolve(headers.location!))
  })
  const url = site.origin + location
  await untilStored(site, url, 5)
  const { status, headers } = await ask('HEAD', url, 9)
  expect([status, headers['upload-offset']]).toEqual([204, '5'])
  await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect((await finish(url, 9, 5, ' world')).headers['upload-complete']).toBe('?1')
})
