import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http, {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
} from 'node:http'
import https from 'node:https'
import { buffer } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, type Handler, type HandlerOptions } from 'tuskit'
import { chunk, listen, memoryComposer, tus, until } from '../support/serve.js'

/** A framework with the handler mounted in it. */
export interface Mounting {
  /** The beginning of the titles of the tests. */
  readonly framework: string
  /** The handler's `basePath`, at which the mounted handler must be reachable. */
  readonly basePath: string
  /** Creates the server, which does not listen yet. */
  mount(handler: Handler): Server | Promise<Server>
  /** The certificate of an HTTPS server. */
  readonly ca?: string
  /** The body of the 404 next to the handler's path. */
  readonly notFound: RegExp
  readonly options?: Partial<HandlerOptions>
}

/** A framework that serves uploads, in this process or another. */
export interface Site extends Pick<Mounting, 'framework' | 'basePath' | 'notFound'> {
  /** Returns a client for one test. */
  connect(): Client | Promise<Client>
}

/** More than the body parsers of frameworks accept. */
const data = randomBytes(3_000_000)
const firstPiece = 1_300_000

/** Tests uploads with the handler mounted in a framework. */
export function testUploads(mounting: Mounting): void {
  testSite({ ...mounting, connect: () => clientOf(mounting) })
}

/** Tests uploads with a framework that runs already. */
export function testSite({ framework, basePath, notFound, connect }: Site): void {
  describe(`${framework}, ${basePath}`, () => {
    test('an upload in two pieces arrives complete, is read and removed', async () => {
      const client = await connect()
      const url = await client.create(basePath, { 'upload-length': data.length })
      const first = await client.patch(url, 0, data.subarray(0, firstPiece))
      expect([first.status, first.headers['upload-offset']]).toEqual([204, `${firstPiece}`])
      const head = await client.send('HEAD', url)
      expect([head.status, head.headers['upload-offset']]).toEqual([200, `${firstPiece}`])
      expect(head.headers['upload-length']).toBe(`${data.length}`)
      expect((await client.patch(url, firstPiece, data.subarray(firstPiece))).status).toBe(204)

      const got = await client.send('GET', url, {})
      expect([got.status, digest(got.body)]).toEqual([200, digest(data)])
      expect((await client.send('DELETE', url)).status).toBe(204)
      expect((await client.send('HEAD', url)).status).toBeOneOf([404, 410])
    })

    test('a creation accepts data of any declared type', async () => {
      const client = await connect()
      const created = await client.send(
        'POST',
        basePath,
        { ...chunk, 'upload-length': data.length },
        data,
      )
      expect([created.status, created.headers['upload-offset']]).toEqual([201, `${data.length}`])
    })

    test('a length may be declared at the end', async () => {
      const client = await connect()
      const url = await client.create(basePath, { 'upload-defer-length': 1 })
      expect((await client.patch(url, 0, data.subarray(0, 10))).status).toBe(204)
      expect((await client.send('HEAD', url)).headers['upload-length']).toBeUndefined()
      const length = { 'upload-length': 15 }
      expect((await client.patch(url, 10, data.subarray(10, 15), length)).status).toBe(204)
      expect((await client.send('GET', url, {})).body).toEqual(data.subarray(0, 15))
    })

    test('POST stands in for PATCH with X-HTTP-Method-Override', async () => {
      const client = await connect()
      const url = await client.create(basePath, { 'upload-length': 5 })
      const headers = { ...chunk, 'upload-offset': 0, 'x-http-method-override': 'PATCH' }
      const reply = await client.send('POST', url, headers, Buffer.from('hello'))
      expect([reply.status, reply.headers['upload-offset']]).toEqual([204, '5'])
    })

    test('a trailing slash and a query change nothing', async () => {
      const client = await connect()
      const url = await client.create(`${basePath}/?token=a/b`, { 'upload-length': 5 })
      expect(new URL(url, client.origin).pathname).toMatch(new RegExp(`^${basePath}/[^/]+$`))
      expect((await client.patch(`${url}?token=a/b`, 0, Buffer.from('hello'))).status).toBe(204)
      const head = await client.send('HEAD', `${url}?x=1&y=/files/2`)
      expect([head.status, head.headers['upload-offset']]).toEqual([200, '5'])
    })

    test('OPTIONS lists the features', async () => {
      const client = await connect()
      const reply = await client.send('OPTIONS', basePath, {})
      expect(reply.status).toBe(200)
      expect(reply.headers['tus-extension']).toContain('creation-with-upload')
    })

    test('paths that tuskit does not know get 404, and the framework responds next to its path', async () => {
      const client = await connect()
      const unknown = await client.send('HEAD', `${basePath}/unknown`)
      expect([unknown.status, unknown.headers['tus-resumable']]).toEqual([404, '1.0.0'])
      for (const path of ['/other', `${basePath}-too`, '/']) {
        const other = await client.send('GET', path, {})
        expect(other.status).toBe(404)
        expect(other.body.toString()).toMatch(notFound)
      }
    })

    test('a client that expects 100 Continue gets it', async () => {
      const client = await connect()
      const url = await client.create(basePath, { 'upload-length': 5 })
      const request = client.open('PATCH', url, {
        ...chunk,
        'upload-offset': 0,
        'content-length': 5,
        expect: '100-continue',
      })
      request.flushHeaders()
      await once(request, 'continue')
      request.end('hello')
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      response.resume()
      expect(response.statusCode).toBe(204)
    })

    test('an upload whose connection breaks is resumed', async () => {
      const client = await connect()
      const url = await client.create(basePath, { 'upload-length': data.length })
      const request = client.open('PATCH', url, {
        ...chunk,
        'upload-offset': 0,
        'content-length': data.length,
      })
      request.on('error', () => {})
      request.write(data.subarray(0, firstPiece))
      const offsetOf = async () => Number((await client.send('HEAD', url)).headers['upload-offset'])
      await until(offsetOf, (offset) => offset === firstPiece)
      request.destroy()

      expect(await offsetOf()).toBe(firstPiece)
      expect((await client.patch(url, firstPiece, data.subarray(firstPiece))).status).toBe(204)
      expect(digest((await client.send('GET', url, {})).body)).toBe(digest(data))
    })
  })
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Client {
  readonly origin: string
  open(method: string, url: string, headers: OutgoingHttpHeaders): ClientRequest
  send(method: string, url: string, headers?: OutgoingHttpHeaders, body?: Buffer): Promise<Reply>
  /** Returns the URL of the new upload. */
  create(url: string, headers: OutgoingHttpHeaders): Promise<string>
  patch(url: string, offset: number, body: Buffer, headers?: OutgoingHttpHeaders): Promise<Reply>
}

/** Starts the framework and returns a client of it. */
export async function clientOf({ mount, basePath, ca, options }: Mounting): Promise<Client> {
  const server = await mount(createHandler({ basePath, composer: memoryComposer(), ...options }))
  server.requestTimeout = 0
  const scheme = ca === undefined ? 'http' : 'https'
  const origin = `${scheme}://127.0.0.1:${await listen(server)}`
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return clientAt(origin, ca)
}

/** Returns a client of a server that listens. */
export function clientAt(origin: string, ca?: string): Client {
  const open: Client['open'] = (method, url, headers) => {
    const { request } = ca === undefined ? http : https
    return request(new URL(url, origin), { method, headers, agent: false, ca })
  }
  const send: Client['send'] = async (method, url, headers = tus, body) => {
    const request = open(method, url, headers)
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const { statusCode, headers: received } = response
    return { status: statusCode!, headers: received, body: await buffer(response) }
  }
  return {
    origin,
    open,
    send,
    async create(url, headers) {
      const { status, headers: received } = await send('POST', url, { ...tus, ...headers })
      expect(status).toBe(201)
      return received.location!
    },
    patch: (url, offset, body, headers) =>
      send('PATCH', url, { ...chunk, 'upload-offset': offset, ...headers }, body),
  }
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
