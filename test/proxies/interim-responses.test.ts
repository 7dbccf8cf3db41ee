import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http, {
  type IncomingMessage,
  type InformationEvent,
  type OutgoingHttpHeaders,
} from 'node:http'
import https from 'node:https'
import { createHandler, createUploadServer, type Handler } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectHttp2, trust } from '../support/serve-http2.js'
import { listen, memoryComposer, until, untilStored } from '../support/serve.js'
import { apache } from './apache.js'
import { caddy } from './caddy.js'
import { haproxy } from './haproxy.js'
import type { RunningProxy } from './launch-proxy.js'
import { startProxy } from './start-proxy.js'

const data = randomBytes(3_000_000)
const draft = { 'upload-draft-interop-version': '8' }
const whole = { ...draft, 'upload-complete': '?1' }
const id = 'upload'
/** Where the connection breaks. */
const breaks = [1_300_000, 2_100_000] as const

/** A request of a client that waits for `104` responses. */
interface Open {
  /** The `Location` of the first `104`. */
  readonly location: Promise<string | undefined>
  write(bytes: Buffer): void
  end(bytes: Buffer): void
  cut(): void
  readonly status: Promise<number>
}

type Start = (method: string, url: string, headers: OutgoingHttpHeaders) => Open

const protocols = [
  { protocol: 'http', start: (site: RunningProxy) => overHttp1(site.http) },
  { protocol: 'https', start: (site: RunningProxy) => overHttp1(site.https) },
  { protocol: 'HTTP/2', start: (site: RunningProxy) => overHttp2(site.https) },
]

// nginx takes a 104 for the final response, as the tests of `tuskit check` show.
describe.each([haproxy, caddy])('$name', (proxy) => {
  test.each(protocols)(
    'a client that learns from a 104 where to resume does so twice, over $protocol',
    async ({ start }) => {
      const { handler, port } = await serveUploads()
      await uploadThrough(start(await startProxy(proxy, port)), handler)
    },
  )
})

test.each(protocols)(
  'Apache forwards a 104 only after the body, and the final response after it, over $protocol',
  async ({ start }) => {
    const { handler, port } = await serveUploads()
    const open = start(await startProxy(apache, port))
    const creation = open('POST', '/files', { ...whole, 'content-length': data.length })
    let hasCome = false
    const noteIt = () => (hasCome = true)
    creation.location.then(noteIt, noteIt)
    creation.write(data.subarray(0, breaks[0]))
    await until(
      () => handler.uploads.inspect(id).catch(() => undefined),
      (found) => found?.offset === breaks[0],
    )
    expect(hasCome).toBe(false)
    creation.end(data.subarray(breaks[0]))
    expect([await creation.location, await creation.status]).toEqual([`/files/${id}`, 201])
    await expectsOptions(open)
  },
)

async function serveUploads() {
  const handler = createHandler({
    ...{ basePath: '/files', composer: memoryComposer(), interimResponses: true },
    generateId: () => id,
  })
  const server = createUploadServer(handler)
  onTestFinished(() => server.stop({ timeout: 1_000 }))
  return { handler, port: await listen(server) }
}

/** A response that was taken for another one shows in the next. */
async function expectsOptions(start: Start): Promise<void> {
  const next = start('OPTIONS', '/files', draft)
  next.end(Buffer.alloc(0))
  expect(await next.status).toBe(200)
}

async function uploadThrough(start: Start, handler: Handler): Promise<void> {
  const creation = start('POST', '/files', { ...whole, 'content-length': data.length })
  const url = (await creation.location)!
  expect(url).toBe(`/files/${id}`)
  let [open, offset] = [creation, 0]
  for (const end of breaks) {
    open.write(data.subarray(offset, end))
    await untilStored({ handler }, url, end)
    open.cut()
    offset = end
    open = start('PATCH', url, {
      ...whole,
      'content-type': 'application/partial-upload',
      'upload-offset': offset,
      'content-length': data.length - offset,
    })
  }
  open.end(data.subarray(offset))
  expect(await open.status).toBe(201)
  await expectsOptions(start)
}

/** Sends requests over one connection, as long as none is cut. */
function overHttp1(origin: string): Start {
  const module = origin.startsWith('https') ? https : http
  const agent = new module.Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return (method, url, headers) => {
    const options = { method, headers, agent, ca: trust.ca }
    const request = module.request(new URL(url, origin), options).on('error', () => {})
    request.flushHeaders()
    const status = once(request, 'response').then(([response]) => {
      const { statusCode } = (response as IncomingMessage).resume()
      return statusCode!
    })
    const location = once(request, 'information').then(([information]) => {
      const { statusCode, headers } = information as InformationEvent
      expect(statusCode).toBe(104)
      return headers.location
    })
    ignoreErrors(status, location)
    return {
      location,
      write: (bytes) => void request.write(bytes),
      end: (bytes) => void request.end(bytes),
      cut: () => void request.destroy(),
      status,
    }
  }
}

function overHttp2(origin: string): Start {
  const session = connectHttp2({ origin })
  return (method, path, headers) => {
    const stream = session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: false },
    )
    stream.on('error', () => {})
    const status = once(stream, 'response').then(([response]) => {
      stream.resume()
      return Number((response as { ':status': number })[':status'])
    })
    const location = once(stream, 'headers').then(([interim]) => {
      const { ':status': code, location } = interim as { ':status': number; location?: string }
      expect(code).toBe(104)
      return location
    })
    ignoreErrors(status, location)
    return {
      location,
      write: (bytes) => void stream.write(bytes),
      end: (bytes) => void stream.end(bytes),
      cut: () => stream.close(8 /* CANCEL */),
      status,
    }
  }
}

/** Requests that the test cuts fail, and nothing awaits their responses. */
function ignoreErrors(...promises: readonly Promise<unknown>[]): void {
  for (const promise of promises) promise.catch(() => {})
}
