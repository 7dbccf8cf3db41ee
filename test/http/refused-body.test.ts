import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { drain, type DrainLimits } from '../../src/http/drain.js'
import { chunk, listen, serve } from '../support/serve.js'
import { countReceived } from '../support/stages.js'

/** Python's own client writes a whole request before it reads. */
const python = `
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
body = bytes(int(sys.argv[2]))
headers = {'Tus-Resumable': '1.0.0', 'Upload-Offset': '0',
           'Content-Type': 'application/offset+octet-stream'}
connection.request('PATCH', '/files/unknown', body, headers)
response = connection.getresponse()
print(response.status, response.read().decode())
`

test('a client that writes 64 MiB before it reads gets the refusal', async () => {
  const { port } = await serve()
  const child = spawn('python3', ['-c', python, String(port), String(67_108_864)])
  const [output, problem] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(problem).toBe('')
  expect(output).toMatch(/^404 ERR_UPLOAD_NOT_FOUND: /)
})

test('a client that keeps sending after a refusal does not delay a shutdown', async () => {
  const site = await serve()
  const { port } = site
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  const piece = Buffer.alloc(1_000)
  const sending = setInterval(() => socket.write(piece), 20)
  onTestFinished(() => clearInterval(sending))
  const lines = ['Host: a', 'Tus-Resumable: 1.0.0', 'Upload-Offset: 0', 'Content-Length: 100000000']
  socket.write(['PATCH /files/unknown HTTP/1.1', ...lines, '', ''].join('\r\n'))
  const [first] = await once(socket, 'data')
  expect(String(first)).toMatch(/^HTTP\/1.1 415 /)
  const minute = 60_000
  const started = performance.now()
  await site.server.stop({ timeout: minute })
  expect(performance.now() - started).toBeLessThan(minute / 2)
})

describe('a client that continues after a refusal', () => {
  const generous = { bytes: 2 ** 40, milliseconds: 600_000, silence: 600_000 }

  /** The connection of a client that sends `pieces` to a server with these limits. */
  async function refused(limits: Partial<DrainLimits>, send: (socket: Socket) => void) {
    const server = http.createServer(async (request, response) => {
      response.writeHead(400, { connection: 'close', 'content-length': '0' }).flushHeaders()
      drained(await drain(request, { ...generous, ...limits }))
      response.end()
    })
    let drained!: (ended: boolean) => void
    const ended = new Promise<boolean>((resolve) => (drained = resolve))
    onTestFinished(() => void server.close())
    const socket = connect(await listen(server), '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.resume()
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n')
    send(socket)
    return { ended, closed }
  }

  const forever = (socket: Socket) => {
    const piece = Buffer.alloc(65_536)
    const more = (): void => void (socket.writable && socket.write(piece, more))
    more()
  }
  const trickle = (socket: Socket) => {
    const timer = setInterval(() => socket.write('x'), 20)
    socket.on('close', () => clearInterval(timer))
  }

  test.each<[string, Partial<DrainLimits>, (socket: Socket) => void]>([
    ['has sent too much', { bytes: 10_000_000 }, forever],
    ['has sent for too long', { milliseconds: 200 }, trickle],
    ['sends nothing', { silence: 200 }, () => {}],
  ])('is cut when it %s', async (_, limits, send) => {
    const { ended, closed } = await refused(limits, send)
    expect(await ended).toBe(false)
    await closed
  })

  test('is cut soon when too many others continue, without a warning of a leak', async () => {
    const warnings: Error[] = []
    const warn = (warning: Error) => void warnings.push(warning)
    process.on('warning', warn)
    onTestFinished(() => void process.off('warning', warn))
    const site = await serve()
    const received = countReceived(site)
    const refuse = async (length: number) => {
      const socket = connect(site.port, '127.0.0.1')
      onTestFinished(() => void socket.destroy())
      socket.on('error', () => {})
      const head = Object.entries({ ...chunk, host: 'a', 'upload-offset': '0' })
      const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      socket.write(`PATCH /files/unknown HTTP/1.1\r\n${lines}content-length: ${length}\r\n\r\n`)
      await once(socket, 'data')
      trickle(socket)
      return socket
    }
    await Promise.all(Array.from({ length: 100 }, () => refuse(1_000_000)))
    const before = await received()
    const last = await refuse(1_000_000_000)
    const closed = new Promise((resolve) => last.on('close', resolve))
    forever(last)
    await closed
    // The limit, and the bytes that were on their way.
    expect((await received()) - before).toBeLessThan(16_000_000)
    expect(warnings).toEqual([])
  })
})
