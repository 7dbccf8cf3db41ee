import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { TcpProxy, type TcpProxyOptions } from 'tuskit/store-kit'
import { until } from '../support/serve.js'
import { sample } from './stage.js'

/** A server that keeps its connections, and a proxy for it. */
async function stage(
  serve: (socket: Socket) => void = (socket) => void socket.pipe(socket),
  options: Partial<TcpProxyOptions> = {},
) {
  const served: Socket[] = []
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    served.push(socket)
    serve(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await TcpProxy.start({ port, ...options })
  onTestFinished(async () => {
    await proxy.close()
    for (const socket of served) socket.destroy()
    server.close()
  })
  const client = async (host = '127.0.0.1') => {
    const socket = net.connect({ host, port: proxy.port, allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    socket.on('error', () => {})
    return socket
  }
  return { proxy, port, served, client }
}

/** Resolves to the code of the error with which a socket closes, or to its bytes. */
async function outcomeOf(socket: Socket): Promise<string | Buffer> {
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  const failed = new Promise<string>((resolve) =>
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code!)),
  )
  const ended = once(socket, 'end').then(() => Buffer.concat(pieces))
  return Promise.race([failed, ended])
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [piece] = (await once(socket, 'data')) as [Buffer]
  return piece.toString()
}

test('passes bytes on in both directions, and their ends', async () => {
  const content = sample(5_000_000)
  const { proxy, client } = await stage()
  const socket = await client()
  const echoed = buffer(socket)
  socket.end(content)
  expect((await echoed).equals(content)).toBe(true)
  await until(
    () => Promise.resolve(proxy.connections),
    (count) => count === 0,
  )
})

test('waits for a reader that is slow', async () => {
  const { client, served } = await stage((socket) => void socket.pause())
  const socket = await client()
  const chunk = Buffer.alloc(1_000_000)
  // Kernels and streams hold some of it. Bytes beyond that must make the sender wait.
  let sent = 0
  const writeMore = () => {
    while (socket.writableLength === 0 && sent < 100) {
      sent++
      if (!socket.write(chunk)) return
    }
  }
  writeMore()
  socket.on('drain', writeMore)
  await until(
    async () => {
      const before = sent
      await new Promise((resolve) => setTimeout(resolve, 200))
      return sent - before
    },
    (progress) => progress === 0,
  )
  expect(sent).toBeLessThan(100)
  expect(served).toHaveLength(1)
})

test('counts the connections that are open', async () => {
  const { proxy, client } = await stage()
  expect(proxy.connections).toBe(0)
  const [first, second] = [await client(), await client()]
  await echo(first, 'a')
  await echo(second, 'b')
  expect(proxy.connections).toBe(2)
  first.destroy()
  await until(
    () => Promise.resolve(proxy.connections),
    (count) => count === 1,
  )
})

test('cut resets all connections, on both sides, and refuses new ones', async () => {
  const { proxy, client, served } = await stage()
  const socket = await client()
  await echo(socket, 'a')
  const outcomes = [outcomeOf(socket), outcomeOf(served[0]!)]
  proxy.cut()
  expect(await Promise.all(outcomes)).toEqual(['ECONNRESET', 'ECONNRESET'])
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(proxy.connections).toBe(0)
})

test('cut can look like the end of the content', async () => {
  const { proxy, client, served } = await stage((socket) => void socket.write('only the beginning'))
  const socket = await client()
  const outcome = outcomeOf(socket)
  await once(socket, 'data')
  const atServer = outcomeOf(served[0]!)
  proxy.cut('end')
  expect(String(await outcome)).toBe('only the beginning')
  expect(String(await atServer)).toBe('')
})

test('bytes that nobody has read do not turn an end into a reset', async () => {
  const { proxy, client } = await stage()
  const socket = await client()
  await echo(socket, 'a')
  proxy.stall()
  socket.write(sample(5_000_000))
  for (let n = 0; n < 50; n++) await new Promise(setImmediate)
  const outcome = outcomeOf(socket)
  proxy.cut('end')
  expect(String(await outcome)).toBe('')
})

test.each(['upstream', 'downstream'] as const)(
  'cutAfter lets exactly so many bytes pass %s',
  async (direction) => {
    const content = sample(1_000_000)
    const { proxy, client, served } = await stage((socket) => {
      if (direction === 'downstream') socket.write(content)
    })
    const cut = proxy.cutAfter(654_321, direction, 'end')
    const socket = await client()
    if (direction === 'upstream') socket.write(content)
    await until(
      () => Promise.resolve(served.length),
      (count) => count === 1,
    )
    const receiver = direction === 'upstream' ? served[0]! : socket
    const received = outcomeOf(receiver)
    await cut
    expect(content.subarray(0, 654_321).equals((await received) as Buffer)).toBe(true)
    await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  },
)

test('cutAfter counts the bytes of all connections together, in its direction only', async () => {
  const { proxy, client } = await stage()
  const [first, second] = [await client(), await client()]
  const cut = proxy.cutAfter(10, 'upstream')
  expect(await echo(first, '12345')).toBe('12345')
  expect(await echo(second, '1234')).toBe('1234')
  const outcomes = [outcomeOf(first), outcomeOf(second)]
  first.write('123')
  await cut
  expect(await Promise.all(outcomes)).toEqual(['ECONNRESET', 'ECONNRESET'])
})

test('cutAfter resolves when restore makes it obsolete', async () => {
  const { proxy, client } = await stage()
  const cut = proxy.cutAfter(2, 'upstream')
  await proxy.restore()
  await cut
  expect(await echo(await client(), 'several bytes')).toBe('several bytes')
})

test('refuse leaves open connections alone', async () => {
  const { proxy, client } = await stage()
  const socket = await client()
  expect(await echo(socket, 'a')).toBe('a')
  proxy.refuse()
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(await echo(socket, 'b')).toBe('b')
  await proxy.restore()
  expect(await echo(await client(), 'c')).toBe('c')
  expect(await echo(socket, 'd')).toBe('d')
})

test('stall holds bytes, ends and new connections back until restore', async () => {
  const { proxy, client, served } = await stage((socket) => void socket.write('hello'))
  const early = await client()
  await once(early, 'data')
  proxy.stall()
  const late = await client()
  const events: string[] = []
  late.on('data', (piece: Buffer) => events.push(`client got ${piece}`))
  const received = buffer(served[0]!).then((bytes) => events.push(`server got ${bytes}`))
  early.end('stalled')
  // The bytes are on their way as soon as the kernel has taken them.
  await until(
    () => Promise.resolve(served.length),
    (count) => count === 2,
  )
  for (let n = 0; n < 50; n++) await new Promise(setImmediate)
  expect(events).toEqual([])
  await proxy.restore()
  await received
  await until(
    () => Promise.resolve(events.length),
    (count) => count === 2,
  )
  expect(events.toSorted()).toEqual(['client got hello', 'server got stalled'])
})

test('a stalled connection can be cut', async () => {
  const { proxy, client } = await stage()
  const socket = await client()
  proxy.stall()
  socket.write('stalled')
  const outcome = outcomeOf(socket)
  proxy.cut()
  expect(await outcome).toBe('ECONNRESET')
  await proxy.restore()
  expect(await echo(await client(), 'again')).toBe('again')
})

test('delay passes bytes on later, in order', async () => {
  const { proxy, client } = await stage()
  proxy.delay(50)
  const socket = await client()
  const began = performance.now()
  const echoed = buffer(socket)
  socket.write('first ')
  socket.end('second')
  expect(String(await echoed)).toBe('first second')
  expect(performance.now() - began).toBeGreaterThan(95)
})

test('a connection to a server that is not there is reset', async () => {
  const { proxy, port } = await stage()
  const other = await TcpProxy.start({ port: proxy.port })
  onTestFinished(() => other.close())
  proxy.refuse()
  const socket = net.connect(other.port, '127.0.0.1')
  expect(await outcomeOf(socket)).toBe('ECONNRESET')
  expect(port).not.toBe(other.port)
})

test('listens on another address of the loopback network with the port of the server', async () => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.end('the server')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const proxy = await TcpProxy.start({ port, listenPort: port, listenHost: '127.0.0.2' })
  onTestFinished(() => proxy.close())
  expect(proxy.port).toBe(port)
  expect(String(await buffer(net.connect(port, '127.0.0.2')))).toBe('the server')
})

test('a port in use makes start reject', async () => {
  const { proxy, port } = await stage()
  await expect(TcpProxy.start({ port, listenPort: proxy.port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})

test('refuse and close end a restore in progress', async () => {
  const { proxy, client } = await stage()
  proxy.refuse()
  const restoring = proxy.restore()
  proxy.refuse()
  await restoring
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await proxy.restore()
  expect(await echo(await client(), 'again')).toBe('again')
  proxy.refuse()
  const last = proxy.restore()
  await proxy.close()
  await last
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('each restore waits until connections are accepted', async () => {
  const { proxy } = await stage()
  proxy.refuse()
  const resolved: string[] = []
  const restore = async (name: string) => {
    await proxy.restore()
    resolved.push(name)
  }
  await Promise.all([restore('first'), restore('second')])
  expect(resolved).toEqual(['first', 'second'])
})

test('restore rejects while the port is in use, and can be repeated', async () => {
  const { proxy, client } = await stage()
  proxy.refuse()
  const other = net.createServer()
  await once(other.listen(proxy.port, '127.0.0.1'), 'listening')
  for (let n = 0; n < 2; n++) {
    await expect(proxy.restore()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  }
  await new Promise((resolve) => other.close(resolve))
  await proxy.restore()
  expect(await echo(await client(), 'a')).toBe('a')
})

test('arguments are checked', async () => {
  const { proxy, client } = await stage()
  const cutAfter = (...args: readonly unknown[]) => proxy.cutAfter(...(args as [1, 'upstream']))
  for (const bytes of [-3, 0.5, NaN, Infinity, '5', undefined]) {
    await expect(cutAfter(bytes, 'upstream')).rejects.toThrow(
      "TcpProxy.cutAfter: argument 'bytes' must be a whole number of bytes, at least 0",
    )
  }
  await expect(cutAfter(5, 'up')).rejects.toThrow("argument 'direction' must be one of")
  await expect(cutAfter(5, 'upstream', 'rst')).rejects.toThrow("argument 'how' must be one of")
  expect(() => proxy.cut('rst' as never)).toThrow("TcpProxy.cut: argument 'how' must be one of")
  for (const milliseconds of [-1, NaN, Infinity, '5']) {
    expect(() => proxy.delay(milliseconds as never)).toThrow(
      "TcpProxy.delay: argument 'milliseconds' must be a number of milliseconds, at least 0",
    )
  }
  expect(await echo(await client(), 'unharmed')).toBe('unharmed')
})

test('close ends everything, and restore does not bring it back', async () => {
  const { proxy, client } = await stage()
  const socket = await client()
  await echo(socket, 'a')
  const cut = proxy.cutAfter(1_000, 'upstream')
  const outcome = outcomeOf(socket)
  proxy.stall()
  await proxy.close()
  await cut
  expect(await outcome).toBe('ECONNRESET')
  await proxy.restore()
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('options are checked', async () => {
  const start = (options: object) => TcpProxy.start(options as never)
  await expect(start({})).rejects.toThrow("TcpProxy: option 'port' must be a port")
  await expect(start({ port: 70_000 })).rejects.toThrow('from 1 to 65535, not 70000')
  await expect(start({ port: 21, listenPort: -1 })).rejects.toThrow('from 0 to 65535')
  await expect(start({ port: 21, hosts: 'a' })).rejects.toThrow("did you mean 'host'?")
})
