import http from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, type HandlerOptions } from 'tuskit'
import {
  createUpload,
  head,
  listen,
  memoryComposer,
  post,
  send,
  serve,
  tus,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const make = (options: object) =>
  createHandler({ basePath: '/files', composer: memoryComposer(), ...options } as HandlerOptions)

describe('location', () => {
  async function locationOf(options: Partial<HandlerOptions>, headers = {}): Promise<string> {
    const site = await serve({ generateId: () => 'a', ...options })
    const reply = await post(site, { 'upload-length': '0', ...headers })
    return reply.headers.location!.replace(String(site.port), 'PORT')
  }
  const forwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'example.org',
    'x-forwarded-prefix': '/api',
  }

  test('is a path by default, and ignores proxies', async () => {
    expect(await locationOf({})).toBe('/files/a')
    expect(await locationOf({}, forwarded)).toBe('/files/a')
    expect(await locationOf({ location: 'absolute' }, forwarded)).toBe(
      'http://127.0.0.1:PORT/files/a',
    )
  })

  test('follows the Host and trusted proxies', async () => {
    const absolute = { location: 'absolute', trustProxy: true } as const
    expect(await locationOf({ location: 'absolute' }, { host: 'up.example:8080' })).toBe(
      'http://up.example:8080/files/a',
    )
    expect(await locationOf(absolute, forwarded)).toBe('https://example.org/api/files/a')
    expect(await locationOf({ trustProxy: true }, forwarded)).toBe('/api/files/a')
    const standard = { forwarded: 'proto=https;host=a.example' }
    expect(await locationOf(absolute, standard)).toBe('https://a.example/files/a')
  })

  test('trusts that many proxies, and no client in front of them', async () => {
    const chain = {
      'x-forwarded-host': 'evil.example, example.org',
      'x-forwarded-proto': 'http, https',
    }
    const location = 'absolute'
    expect(await locationOf({ location, trustProxy: 1 }, chain)).toBe('https://example.org/files/a')
    expect(await locationOf({ location, trustProxy: 0 }, chain)).toBe(
      'http://127.0.0.1:PORT/files/a',
    )
  })

  test('trusts the proxies with these addresses', async () => {
    const forwarded = { 'x-forwarded-host': 'example.org' }
    const located = (trustProxy: string[]) =>
      locationOf({ location: 'absolute', trustProxy }, forwarded)
    expect(await located(['127.0.0.0/8'])).toBe('http://example.org/files/a')
    expect(await located(['10.0.0.0/8', 'unix:'])).toBe('http://127.0.0.1:PORT/files/a')
  })

  test('may be fixed', async () => {
    for (const location of ['https://cdn.example/up', 'https://cdn.example/up/']) {
      expect(await locationOf({ location }, forwarded)).toBe('https://cdn.example/up/a')
    }
  })
})

describe('generateId', () => {
  test('gets the request', async () => {
    const site = await serve({ generateId: ({ headers }) => `u-${String(headers['x-user'])}` })
    const reply = await post(site, { 'upload-length': '0', 'x-user': '7' })
    expect(reply.headers.location).toBe('/files/u-7')
    expect((await post(site, { 'upload-length': '0', 'x-user': '7' })).status).toBe(422)
  })

  test.each(['', '../a', '.a', 'a/b', 'a b', 'x'.repeat(201), undefined, 7])(
    'refuses the result %o',
    async (id) => {
      const site = await serve({ logger: keptLog(), generateId: () => id as string })
      expect((await post(site, { 'upload-length': '0' })).status).toBe(422)
    },
  )

  test('makes ids by default that no client can guess', async () => {
    const site = await serve()
    const ids = new Set<string>()
    for (let count = 0; count < 20; count++) ids.add(await createUpload(site))
    expect(ids.size).toBe(20)
    for (const id of ids) expect(id).toMatch(/\/[0-9a-f]{32}$/)
  })
})

describe('the rest of the URLs', () => {
  test('is passed on, or gets 404', async () => {
    const handler = make({})
    const passed: string[] = []
    const server = http.createServer((request, response) => {
      void handler(request, response, () => {
        passed.push(request.url!)
        response.end('other')
      })
    })
    const port = await listen(server)
    onTestFinished(() => void server.close())
    const get = (path: string) => send({ method: 'GET', url: `http://127.0.0.1:${port}${path}` })
    expect((await get('/elsewhere')).text).toBe('other')
    expect((await get('/filesystem')).text).toBe('other')
    expect((await get('/files/none')).status).toBe(404)
    expect((await get('/files/a/b')).status).toBe(404)
    expect(passed).toEqual(['/elsewhere', '/filesystem'])
    const site = await serve()
    expect((await send({ method: 'GET', url: `${site.origin}/elsewhere` })).status).toBe(404)
  })

  test('a base path may be the root, or end in a slash', async () => {
    for (const basePath of ['/', '/a/b/', '/a/b']) {
      const site = await serve({ basePath, generateId: () => 'x' })
      const prefix = basePath === '/' ? '' : '/a/b'
      const reply = await send({
        method: 'POST',
        url: `${site.origin}${basePath}`,
        headers: { ...tus, 'upload-length': '0' },
      })
      expect(reply.headers.location).toBe(`${prefix}/x`)
      expect((await head(`${site.origin}${prefix}/x`)).status).toBe(200)
    }
  })
})
