import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { createHandler, type HandlerOptions } from 'tuskit'
import {
  chunk,
  createUpload,
  fileComposer,
  head,
  offsetOf,
  send,
  serve,
  temporaryDirectory,
  until,
  type Site,
  idOf,
} from '../support/serve.js'
import { serveHttp2, trust } from '../support/serve-http2.js'
import { cuttingProxy } from './cutting-proxy.js'
import { h2, http1, UploadTask, type Exchange, type Transport } from './urlsession.js'

const data = randomBytes(5_000_001)

const systems = [
  { version: 3, system: 'iOS 17' },
  { version: 5, system: 'iOS 18.0' },
  { version: 6, system: 'iOS 18.1' },
  { version: 8, system: 'iOS 26.2' },
]

let directory: string

beforeEach(async () => {
  directory = await temporaryDirectory()
})

type Start = (options: Partial<HandlerOptions>) => Promise<Running>

const transports: readonly { readonly protocol: string; readonly start: Start }[] = [
  {
    protocol: 'HTTP/1.1',
    start: async (options) => {
      const site = await serve({ composer: fileComposer(directory), ...options })
      return { ...site, scheme: 'http', transport: http1() }
    },
  },
  { protocol: 'HTTP/1.1 with TLS', start: (options) => startSecure(options, http1(trust)) },
  { protocol: 'HTTP/2 with TLS', start: (options) => startSecure(options, h2(trust)) },
]

async function startSecure(
  options: Partial<HandlerOptions>,
  transport: Transport,
): Promise<Running> {
  const composer = fileComposer(directory)
  const handler = createHandler({ basePath: '/files', composer, ...options })
  const listener = handler as unknown as Parameters<typeof serveHttp2>[0]
  const { port, server } = await serveHttp2(listener, true)
  Object.assign(server, { requestTimeout: 0 })
  return { handler, port, scheme: 'https', transport }
}

describe.each(transports)('over $protocol', ({ start }) => {
  describe.each(systems)('interop version $version ($system)', ({ version }) => {
    test('R-020 R-021 R-065 an upload is one request, and a 104 has its location', async () => {
      const site = await start({ interimResponses: true })
      const task = taskOf(site, version, site.port)
      const { status, headers } = await task.run()
      expect(summary(task.exchanges)).toEqual(['POST 201'])
      const [first] = task.exchanges[0]!.interim
      expect(first).toMatchObject({
        status: 104,
        headers: { 'upload-draft-interop-version': String(version), location: headers.location },
      })
      expect(status).toBe(201)
      expect(headers).toMatchObject(completeness(version))
      await expectFinished(site, headers.location!)
    })

    test('R-029 R-050 R-060 after a connection broke twice, the rest is sent, and nothing twice', async () => {
      const site = await start({ interimResponses: true })
      const task = await brokenTaskOf(site, version, [2_000_000, Infinity, 1_000_000])
      const { headers } = await task.run()
      expect(summary(task.exchanges)).toEqual([
        ...['POST broken', 'HEAD 204', 'PATCH broken', 'HEAD 204', 'PATCH 201'],
      ])
      expect(headers).toMatchObject(completeness(version))
      const offsets = task.exchanges
        .filter(({ request: { method } }) => method === 'PATCH')
        .map(({ request }) => Number(request.headers['upload-offset']))
      // Everything that arrived, except for heads and chunk framing.
      expect(offsets[0]! > 1_980_000 && offsets[0]! < 2_000_000).toBe(true)
      expect(offsets[1]! > 2_960_000 && offsets[1]! < 3_000_000).toBe(true)
      await expectFinished(site, headers.location!)
    })

    test('another task continues an upload that was cancelled', async () => {
      const site = await start({ interimResponses: true, generateId: () => 'known' })
      // That much arrives before it is cancelled, and no more.
      const through = await cuttingProxy(site.port, [2_000_000], () => new Promise(() => {}))
      const cancelled = taskOf(site, version, through)
      const cancelling = new AbortController()
      const running = cancelled.run(cancelling.signal)
      running.catch(() => {})
      await until(
        async () => cancelled.resumeData,
        (left) => left !== undefined,
      )
      await until(
        () => site.handler.uploads.inspect('known'),
        ({ offset }) => offset! > 0,
      )
      cancelling.abort()
      await expect(running).rejects.toThrow()

      const task = taskOf(site, version, site.port, cancelled.resumeData)
      await task.run()
      expect(summary(task.exchanges)).toEqual(['HEAD 204', 'PATCH 201'])
      expect(task.exchanges[1]!.request.body!.length).toBeLessThan(data.length)
      await expectFinished(site, 'known')
    })

    test('R-049 an upload works without interim responses', async () => {
      const site = await start({})
      const task = taskOf(site, version, site.port)
      const { headers } = await task.run()
      expect(summary(task.exchanges)).toEqual(['POST 201'])
      expect(task.exchanges[0]!.interim).toEqual([])
      await expectFinished(site, headers.location!)
    })

    test('without interim responses a broken upload cannot be resumed', async () => {
      const site = await start({ generateId: () => 'known' })
      const through = await cuttingProxy(site.port, [2_000_000])
      const task = taskOf(site, version, through)
      await expect(task.run()).rejects.toThrow('cannot be resumed')
      expect(task.resumeData).toBeUndefined()
      expect((await site.handler.uploads.inspect('known')).finished).toBe(false)
    })

    test('R-032 the record has name and type of the file, in every case', async () => {
      const site = await start({ interimResponses: true })
      const task = await brokenTaskOf(site, version, [2_000_000])
      const { headers } = await task.run()
      const { upload } = await site.handler.uploads.inspect(idOf(headers.location!))
      expect({ ...upload.metadata.values }).toEqual({ filename: 'a.mov', filetype: 'video/mp4' })
    })

    test('R-096 limits apply although it does not read them', async () => {
      const site = await start({ interimResponses: true, maxSize: 1_000_000 })
      const task = taskOf(site, version, site.port)
      const { status } = await task.run()
      expect(status).toBe(413)
      expect(task.resumeData).toBeUndefined()
    })

    test('R-065 the response of the application reaches it, after every kind of upload', async () => {
      const site = await start({
        interimResponses: true,
        hooks: {
          preFinish: () => ({
            response: { status: 202, headers: { 'x-film': '7' }, body: 'thanks' },
          }),
        },
      })
      const whole = taskOf(site, version, site.port)
      const broken = await brokenTaskOf(site, version, [2_000_000])
      for (const task of [whole, broken]) {
        const { status, headers } = await task.run()
        expect([status, headers['x-film']]).toEqual([202, '7'])
        expect(headers).toMatchObject(completeness(version))
      }
    })
  })
})

/**
 * TUSKit speaks tus 1.0.0 and sends its chunks with upload tasks, so the system adds the headers of
 * the draft.
 */
describe.each(systems)('D2 a tus 1.0.0 client under $system', ({ version }) => {
  const complete = version === 3 ? { 'upload-incomplete': '?0' } : { 'upload-complete': '?1' }
  const added = { ...complete, 'upload-draft-interop-version': String(version) }

  test('an upload in one chunk works, since the headers of the system are ignored', async () => {
    const site = await serve({ composer: fileComposer(directory), interimResponses: true })
    const url = await createUpload(site, { 'upload-length': data.length })
    const task = tusChunk(url, 0, data)
    const { status, headers } = await task.run()
    expect(status).toBe(204)
    expect(headers).toMatchObject({ 'tus-resumable': '1.0.0', 'upload-offset': '5000001' })
    expect(headers['upload-complete'] ?? headers['upload-incomplete']).toBeUndefined()
    expect(task.exchanges[0]!.interim).toEqual([])
    await expectStored(site, url, 'tus')
  })

  test('several chunks work, although the system takes each for the whole upload', async () => {
    const site = await serve({ composer: fileComposer(directory), interimResponses: true })
    const url = await createUpload(site, { 'upload-length': data.length })
    for (const [from, to] of [
      [0, 2_000_000],
      [2_000_000, data.length],
    ] as const) {
      const { status } = await tusChunk(url, from, data.subarray(from, to)).run()
      expect(status).toBe(204)
      expect(await offsetOf(url)).toBe(String(to))
    }
    await expectStored(site, url, 'tus')
  })

  test('the system does not resume a broken chunk; the client does', async () => {
    const site = await serve({ composer: fileComposer(directory), interimResponses: true })
    const url = await createUpload(site, { 'upload-length': data.length })
    const through = await cuttingProxy(site.port, [2_000_000])
    const broken = tusChunk(url.replace(String(site.port), String(through)), 0, data)
    await expect(broken.run()).rejects.toThrow('cannot be resumed')
    const offset = Number((await head(url)).headers['upload-offset'])
    expect(offset > 1_990_000 && offset < 2_000_000).toBe(true)
    const { status } = await tusChunk(url, offset, data.subarray(offset)).run()
    expect(status).toBe(204)
    await expectStored(site, url, 'tus')
  })

  test('a creation with data works', async () => {
    const site = await serve({ composer: fileComposer(directory), interimResponses: true })
    const { status, headers } = await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, ...added, 'upload-length': data.length },
      body: data,
    })
    expect(status).toBe(201)
    expect(headers).toMatchObject({ 'tus-resumable': '1.0.0', 'upload-offset': '5000001' })
    await expectStored(site, headers.location!, 'tus')
  })

  function tusChunk(url: string, offset: number, body: Buffer): UploadTask {
    const headers = { ...chunk, 'upload-offset': String(offset) }
    const request = { method: 'PATCH', url, headers, body }
    return new UploadTask({ transport: http1(), version, request })
  }
})

interface Running extends Pick<Site, 'handler' | 'port'> {
  readonly scheme: string
  readonly transport: Transport
}

function taskOf(
  { scheme, transport }: Running,
  version: number,
  port: number,
  resumeData?: { readonly location: string },
): UploadTask {
  const headers = {
    'content-type': 'video/mp4',
    'content-disposition': 'attachment; filename="a.mov"',
  }
  const request = {
    method: 'POST',
    url: `${scheme}://127.0.0.1:${port}/files`,
    headers,
    body: data,
  }
  return new UploadTask({ transport, version, request }, resumeData)
}

/**
 * Makes a transport whose connections break after that many bytes, the first only after its client
 * knows the location.
 */
async function brokenTaskOf(
  site: Running,
  version: number,
  limits: readonly number[],
): Promise<UploadTask> {
  const located = () =>
    until(
      async () => task.resumeData,
      (left) => left !== undefined,
    )
  const task: UploadTask = taskOf(site, version, await cuttingProxy(site.port, limits, located))
  return task
}

function summary(exchanges: readonly Exchange[]): string[] {
  return exchanges.map(({ request: { method }, outcome }) => `${method} ${outcome}`)
}

/** The header that says that the upload is complete. */
function completeness(version: number): Record<string, string> {
  return version === 3 ? { 'upload-incomplete': '?0' } : { 'upload-complete': '?1' }
}

async function expectFinished(site: Pick<Site, 'handler'>, location: string): Promise<void> {
  await expectStored(site, location, 'ietf')
  const { upload } = await site.handler.uploads.inspect(idOf(location))
  expect(upload.state.kind).toBe('finished')
}

async function expectStored(
  { handler }: Pick<Site, 'handler'>,
  location: string,
  protocol: 'tus' | 'ietf',
): Promise<void> {
  const { upload, finished } = await handler.uploads.inspect(idOf(location))
  expect({ protocol: upload.protocol, finished, length: upload.length }).toEqual({
    protocol,
    finished: true,
    length: data.length,
  })
  expect(digest(await readFile(join(directory, upload.id)))).toBe(digest(data))
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
