import http from 'node:http'
import {
  createHandler,
  createUploadServer,
  type Feature,
  type HandlerOptions,
  type StoreComposer,
} from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import { expect, onTestFinished, test } from 'vitest'
import { listen, memoryComposer, send, sendRaw, serve, type Reply } from '../../support/serve.js'
import { noAbort } from '../../support/stages.js'

const everything = [
  ...['creation', 'creation-with-upload', 'creation-defer-length', 'expiration', 'checksum'],
  ...['checksum-trailer', 'termination', 'concatenation', 'concatenation-unfinished'],
]

async function ask(options: Partial<HandlerOptions> = {}, path = '/files'): Promise<Reply> {
  const { origin } = await serve(options)
  return send({ method: 'OPTIONS', url: origin + path })
}

function extensions({ headers }: Reply): string[] | undefined {
  return (headers['tus-extension'] as string | undefined)?.split(',')
}

test('T-020 OPTIONS needs no Tus-Resumable and returns the version', async () => {
  const reply = await ask()
  expect([reply.status, reply.headers['tus-version']]).toEqual([200, '1.0.0'])
})

test.each(['/files', '/files/unknown', '/files/a/b', '/other'])(
  'T-001 the response to OPTIONS of %s has Tus-Resumable',
  async (path) => {
    for (const options of [{}, { cors: true }, { disable: ['creation'] }] as const) {
      const reply = await ask(options as Partial<HandlerOptions>, path)
      expect(reply.headers['tus-resumable']).toBe('1.0.0')
    }
  },
)

test.each(['9.9.9', '0.2.2', '', '1.0.0'])(
  'T-021 OPTIONS ignores Tus-Resumable "%s"',
  async (version) => {
    const { origin } = await serve({ maxSize: 1_000 })
    const url = `${origin}/files`
    const [plain, versioned] = [
      await send({ method: 'OPTIONS', url }),
      await send({ method: 'OPTIONS', url, headers: { 'tus-resumable': version } }),
    ]
    const { date: _, ...headers } = plain.headers
    expect(versioned.status).toBe(plain.status)
    expect(versioned.headers).toMatchObject(headers)
    expect(Object.keys(versioned.headers)).toEqual(Object.keys(plain.headers))
  },
)

test('T-022 Tus-Extension lists every extension, without spaces', async () => {
  const reply = await ask({ expiration: { after: 60_000 } })
  expect(extensions(reply)?.toSorted()).toEqual(everything.toSorted())
})

test('T-022 expiration is listed only when uploads expire', async () => {
  expect(extensions(await ask())).not.toContain('expiration')
})

test('T-022 disabled extensions are not listed; without any, the header is absent', async () => {
  const reply = await ask({ disable: ['termination', 'download', 'checksum-trailer'] })
  const missing = ['termination', 'checksum-trailer', 'expiration']
  expect(extensions(reply)).toEqual(everything.filter((name) => !missing.includes(name)))
  const none = await ask({ disable: ['creation', 'checksum', 'termination'] })
  expect(none.headers).not.toHaveProperty('tus-extension')
  expect(none.headers).not.toHaveProperty('tus-checksum-algorithm')
  expect(none.headers['tus-version']).toBe('1.0.0')
})

test('T-022 extensions that a store cannot support are not listed', async () => {
  const composer = memoryComposer()
  const store = new MemoryStore()
  const { dataStore: _, infoStore, infoLister, expiryIndex, ...optional } = composer.slots()
  const bare = new (composer.constructor as new () => StoreComposer)()
  bare.useDataStore(store).useInfoStore(infoStore!)
  expect(Object.keys(optional)).not.toEqual([])
  const reply = await ask({ composer: bare })
  expect(extensions(reply)).toEqual(['creation', 'creation-with-upload', 'creation-defer-length'])
})

test('T-023 Tus-Max-Size reports the limit, wherever it is set', async () => {
  expect((await ask({ maxSize: 1_234 })).headers['tus-max-size']).toBe('1234')
  expect((await ask({ maxSize: async () => 77 })).headers['tus-max-size']).toBe('77')
  const composer = memoryComposer()
  new MemoryStore({ maxSize: 55 }).useIn(composer)
  expect((await ask({ composer })).headers['tus-max-size']).toBe('55')
})

test('T-023 without a limit there is no Tus-Max-Size', async () => {
  expect((await ask()).headers).not.toHaveProperty('tus-max-size')
})

test('T-024 with checksums, sha1 is among the algorithms', async () => {
  const { headers } = await ask()
  expect((headers['tus-checksum-algorithm'] as string).split(',')).toContain('sha1')
})

test.each(['/files', '/files/', '/files/unknown', '/files/a/b', '/files/%2e%2e', '/files?a=b'])(
  'T-025 OPTIONS of %s gets 200 without a body',
  async (path) => {
    const { port } = await serve()
    const text = await sendRaw(
      port,
      `OPTIONS ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    )
    const [top = '', body] = text.split('\r\n\r\n')
    expect(top).toMatch(/^HTTP\/1\.1 200 /)
    expect(top).toMatch(/\r\nTus-Version: 1\.0\.0\r\n/i)
    expect(body).toBe('')
  },
)

test('T-025 OPTIONS looks up no upload and calls no hook', async () => {
  const composer = memoryComposer()
  const { infoStore } = composer.slots()
  const looked: string[] = []
  composer.useInfoStore({
    create: (upload) => infoStore!.create(upload, noAbort),
    update: (upload) => infoStore!.update(upload, noAbort),
    delete: (id) => infoStore!.delete(id, noAbort),
    get: (id) => {
      looked.push(id)
      return infoStore!.get(id, noAbort)
    },
  })
  const hooks = { access: () => ({ reject: true }) as const }
  expect((await ask({ composer, hooks }, '/files/unknown')).status).toBe(200)
  expect(looked).toEqual([])
})

const dependents: [Feature, string[]][] = [
  [
    'creation',
    [
      ...['creation-with-upload', 'creation-defer-length'],
      ...['concatenation', 'concatenation-unfinished'],
    ],
  ],
  ['checksum', ['checksum-trailer']],
  ['concatenation', ['concatenation-unfinished']],
]

test.each(dependents)(
  'T-026 without %s, no extension that depends on it is offered',
  async (name, needing) => {
    const reply = await ask({ expiration: { after: 60_000 }, disable: [name] })
    const left = everything.filter((each) => each !== name && !needing.includes(each))
    expect(extensions(reply)?.toSorted()).toEqual(left.toSorted())
  },
)

test.each(['/', '/other', '/filesystem', '/files2/a', '//files'])(
  'T-027 OPTIONS of %s is passed to the next handler',
  async (path) => {
    const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
    const server = http.createServer((request, response) => {
      void handler(request, response, () => response.writeHead(299).end('next'))
    })
    const port = await listen(server)
    onTestFinished(() => void server.close())
    const ask = `OPTIONS ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    const text = await sendRaw(port, ask)
    expect(text).toMatch(/^HTTP\/1\.1 299 /)
    expect(text).not.toMatch(/tus-/i)
  },
)

test.each(['*', '/', '/filesystem'])(
  'T-027 OPTIONS of %s gets 404 when there is no next handler',
  async (path) => {
    const server = createUploadServer(
      createHandler({ basePath: '/files', composer: memoryComposer() }),
    )
    const port = await listen(server)
    onTestFinished(() => server.stop())
    const ask = `OPTIONS ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
    expect(await sendRaw(port, ask)).toMatch(/^HTTP\/1\.1 404 /)
  },
)
