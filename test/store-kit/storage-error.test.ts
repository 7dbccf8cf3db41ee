import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { open, readdir, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo, type Server } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tls from 'node:tls'
import { inflateSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isTusError, TusError } from 'tuskit'
import { storageError, translated } from 'tuskit/store-kit'
import { createCertificate } from '../support/certificate.js'

const certificate = createCertificate()

/** Returns the error that something rejects with. */
async function errorOf(work: () => unknown): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  throw new Error('nothing failed')
}

async function portOf(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer()
  const port = await portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function expectUnavailable(failure: unknown): void {
  const error = storageError(failure)
  expect(error, String(failure)).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  expect((error as Error).cause).toBe(failure)
}

const get = (port: number) =>
  new Promise((resolve, reject) => http.get({ port }, resolve).on('error', reject))

describe('real failures of the system are ERR_STORAGE_UNAVAILABLE', () => {
  test.each([
    ['a file that does not exist', () => readFile('/does/not/exist')],
    ['a folder in the place of a file', () => readFile('/')],
    ['a file in the place of a folder', () => readdir('/proc/self/stat')],
  ])('%s', async (_, work) => expectUnavailable(await errorOf(work)))
})

describe('real failures of the network are ERR_STORAGE_UNAVAILABLE', () => {
  test('a refused connection', async () => {
    const port = await closedPort()
    expectUnavailable(await errorOf(() => once(net.connect(port, '127.0.0.1'), 'connect')))
    expectUnavailable(await errorOf(() => get(port)))
    expectUnavailable(await errorOf(() => fetch(`http://127.0.0.1:${port}`)))
  })

  test('refused connections to all addresses of a name', async () => {
    const port = await closedPort()
    const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }))
    const failure = await errorOf(() =>
      once(
        net.connect({
          host: 'storage.example',
          port,
          autoSelectFamily: true,
          lookup: (_name, _options, done) => done(null, addresses),
        }),
        'connect',
      ),
    )
    expect(failure).toBeInstanceOf(AggregateError)
    expectUnavailable(failure)
    // As other libraries make it, without a code of its own.
    expectUnavailable(new AggregateError((failure as AggregateError).errors))
  })

  test('a connection that is cut', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const port = await portOf(server)
    expectUnavailable(await errorOf(() => get(port)))
    expectUnavailable(await errorOf(() => fetch(`http://127.0.0.1:${port}`)))
  })

  test('a connection that ends before the response does', async () => {
    const server = net.createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc')),
    )
    const port = await portOf(server)
    const failure = await errorOf(async () => (await fetch(`http://127.0.0.1:${port}`)).text())
    expectUnavailable(failure)
    const viaHttp = await errorOf(async () => {
      for await (const _ of (await get(port)) as AsyncIterable<Buffer>);
    })
    expectUnavailable(viaHttp)
  })

  test('a response that is not HTTP', async () => {
    const server = net.createServer((socket) =>
      socket.once('data', () => socket.end('220 FTP\r\n')),
    )
    const port = await portOf(server)
    expectUnavailable(await errorOf(() => get(port)))
    expectUnavailable(await errorOf(() => fetch(`http://127.0.0.1:${port}`)))
  })

  test('a name that cannot be resolved', async () => {
    expectUnavailable(await errorOf(() => once(net.connect(1, 'storage.invalid'), 'connect')))
    const resolver = new Resolver({ timeout: 100, tries: 1 })
    resolver.setServers([`127.0.0.1:${await closedPort()}`])
    expectUnavailable(await errorOf(() => resolver.resolve4('storage.invalid')))
  })

  test('a certificate that is not trusted, or for another name', async () => {
    const port = await portOf(https.createServer(certificate))
    const connected = (options: tls.ConnectionOptions) => {
      const socket = tls.connect({ host: '127.0.0.1', port, ...options })
      return once(socket, 'secureConnect').finally(() => socket.destroy())
    }
    expectUnavailable(await errorOf(() => connected({})))
    const named = { ca: certificate.cert, servername: 'storage.example' }
    expectUnavailable(await errorOf(() => connected(named)))
    expectUnavailable(await errorOf(() => fetch(`https://127.0.0.1:${port}`)))
  })

  test('a server that does not speak TLS', async () => {
    const port = await portOf(net.createServer((socket) => void socket.end('220 FTP\r\n')))
    const socket = tls.connect({ host: '127.0.0.1', port })
    expectUnavailable(await errorOf(() => once(socket, 'secureConnect')))
  })

  test('a stream of HTTP/2 that fails, and a session that has ended', async () => {
    const server = http2.createServer()
    server.on('stream', (stream) => {
      stream.on('error', () => {})
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
    })
    const client = http2.connect(`http://127.0.0.1:${await portOf(server)}`)
    const request = () => once(client.request({ ':path': '/' }), 'response')
    expectUnavailable(await errorOf(request))
    client.destroy()
    expectUnavailable(await errorOf(request))
  })

  test('a stream that closes before it has ended', async () => {
    const source = new Readable({ read() {} })
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
    setImmediate(() => source.destroy())
    expectUnavailable(await errorOf(() => pipeline(source, sink)))
  })

  test('a time limit', async () => {
    const silent = net.createServer((socket) => void socket.resume())
    const url = `http://127.0.0.1:${await portOf(silent)}`
    expectUnavailable(await errorOf(() => fetch(url, { signal: AbortSignal.timeout(1) })))
  })
})

test.each(['ECONNRESET', 'ETIMEDOUT', 'EAI_AGAIN', 'ESOCKETTIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT'])(
  'a failure with the code %s alone is ERR_STORAGE_UNAVAILABLE',
  (code) => expectUnavailable(Object.assign(new Error('from a library'), { code })),
)

/** An error as a client of a database makes it. */
const ofDatabase = (fields: object) => Object.assign(new Error('from a database'), fields)

describe('a database that has ended the connection is ERR_STORAGE_UNAVAILABLE', () => {
  test.each([
    { code: 'PROTOCOL_CONNECTION_LOST', fatal: true },
    { code: 'PROTOCOL_CONNECTION_LOST' },
    { code: 'ER_CON_COUNT_ERROR', errno: 1040, sqlState: '08004', fatal: true },
    { message: "Can't add new command when connection is in closed state", fatal: true },
    { code: '57P01', severity: 'FATAL' },
    { code: 'ESOCKET' },
  ])('%j', (fields) => expectUnavailable(ofDatabase(fields)))
})

describe('an error of a statement stays unchanged', () => {
  test.each([
    { code: 'ER_PARSE_ERROR', errno: 1064, sqlState: '42000' },
    { code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000', fatal: false },
    { code: 'SQLITE_CONSTRAINT', errno: 19 },
    { code: 'SQLITE_CONSTRAINT_UNIQUE' },
    { code: '23505', severity: 'ERROR' },
    { code: 'EREQUEST', number: 102 },
  ])('%j', (fields) => {
    const failure = ofDatabase(fields)
    expect(storageError(failure)).toBe(failure)
  })

  test('unless its code has a meaning', () => {
    const failure = ofDatabase({ code: 'SQLITE_BUSY', errno: 5 })
    expect(storageError(failure, { SQLITE_BUSY: 'ERR_STORAGE_UNAVAILABLE' })).toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
      cause: failure,
    })
  })
})

test('damaged content stays unchanged', () => {
  const failure = errorFrom(() => inflateSync(Buffer.from('not compressed')))
  expect(failure).toMatchObject({ code: 'Z_DATA_ERROR', errno: -3 })
  expect(storageError(failure)).toBe(failure)
})

describe('no space is ERR_STORAGE_FULL', () => {
  test('on a real device', async () => {
    const failure = await errorOf(() => writeFile('/dev/full', 'text'))
    expect(failure).toMatchObject({ code: 'ENOSPC' })
    expect(storageError(failure)).toMatchObject({ code: 'ERR_STORAGE_FULL', cause: failure })
  })

  test.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('%s, even behind another error', (code) => {
    const failure = Object.assign(new Error('no space'), { code, errno: -1 })
    expect(storageError(failure)).toMatchObject({ code: 'ERR_STORAGE_FULL' })
    const wrapped = new Error('could not write', { cause: failure })
    expect(storageError(wrapped)).toMatchObject({ code: 'ERR_STORAGE_FULL', cause: wrapped })
  })
})

describe('meanings', () => {
  test('come first', async () => {
    const failure = await errorOf(() => readFile('/does/not/exist'))
    const meanings = { ENOENT: 'ERR_DATA_MISSING', ENOSPC: 'ERR_STORAGE_UNAVAILABLE' } as const
    expect(storageError(failure, meanings)).toMatchObject({ code: 'ERR_DATA_MISSING' })
    const full = await errorOf(() => writeFile('/dev/full', 'text'))
    expect(storageError(full, meanings)).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  })

  test('can be of numbers', () => {
    const failure = Object.assign(new Error('550 No such file'), { code: 550 })
    const meanings = { 550: 'ERR_DATA_MISSING', 552: 'ERR_STORAGE_FULL' } as const
    expect(storageError(failure, meanings)).toMatchObject({ code: 'ERR_DATA_MISSING' })
    expect(storageError(failure, { 552: 'ERR_STORAGE_FULL' })).toBe(failure)
  })

  test('can be of the cause', () => {
    const cause = Object.assign(new Error('no such key'), { code: 'NoSuchKey' })
    const failure = new Error('request failed', { cause })
    expect(storageError(failure, { NoSuchKey: 'ERR_DATA_MISSING' })).toMatchObject({
      code: 'ERR_DATA_MISSING',
      cause: failure,
    })
  })

  test('are not inherited', () => {
    const failure = Object.assign(new Error('odd'), { code: 'toString' })
    expect(storageError(failure, {})).toBe(failure)
  })
})

describe('stays unchanged', () => {
  const cause = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
  const lost = new TusError('ERR_LOCK_LOST', { cause })
  const reason = new DOMException('no longer needed', 'AbortError')

  test.each<[string, unknown]>([
    ['a TusError', new TusError('ERR_LOCK_LOST')],
    ['a TusError about a system error', new TusError('ERR_INTERNAL', { cause: { errno: 1 } })],
    ['an error about a TusError', new Error('failed', { cause: new TusError('ERR_LOCK_LOST') })],
    ['an error about a TusError about a system error', new Error('failed', { cause: lost })],
    ['the reason of a signal', reason],
    ['a wrong argument', errorFrom(() => Buffer.from(undefined as never))],
    ['a wrong argument of a file', errorFrom(() => net.connect(-1))],
    ['a mistake', new TypeError('x is not a function')],
    ['undefined', undefined],
    ['a string', 'text'],
  ])('%s', (_, failure) => {
    expect(storageError(failure)).toBe(failure)
  })

  test('the reason of a signal that ends a call', async () => {
    const failure = await errorOf(() =>
      fetch('http://127.0.0.1:1', { signal: AbortSignal.abort(reason) }),
    )
    expect(storageError(failure)).toBe(reason)
  })

  test('a wrong call of fetch', async () => {
    const failure = await errorOf(() => fetch('not a URL'))
    expect(storageError(failure)).toBe(failure)
  })

  test('a mistake behind itself', () => {
    const failure = new Error('circle')
    failure.cause = failure
    expect(storageError(failure)).toBe(failure)
  })
})

function errorFrom(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('translated', () => {
  test('returns the result', async () => {
    expect(await translated(Promise.resolve(5))).toBe(5)
  })

  test('rejects with the translated failure', async () => {
    const work = translated(open('/does/not/exist'), { ENOENT: 'ERR_DATA_MISSING' })
    await expect(work).rejects.toSatisfy((error) => isTusError(error, 'ERR_DATA_MISSING'))
  })
})
