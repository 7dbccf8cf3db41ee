import { spawn, type ChildProcess } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { Upload } from 'tus-js-client'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/serve.js'

const mebibyte = 1024 * 1024
const length = 1024 * mebibyte + 12_345

test('an upload of 1 GiB survives two cut connections and two kills of the server', async () => {
  const directory = await temporaryDirectory()
  const source = join(await temporaryDirectory(), 'source')
  await pipeline(Readable.from(pseudoRandom(length)), createWriteStream(source))
  const server = new ServerProcess(directory)
  await server.start()
  const faults: Fault[] = [
    { after: 150 * mebibyte, act: (proxy) => proxy.cut() },
    { after: 400 * mebibyte, act: () => server.killAndRestart() },
    { after: 650 * mebibyte, act: (proxy) => proxy.cut() },
    { after: 900 * mebibyte, act: () => server.killAndRestart() },
  ]
  const proxy = await Proxy.start(() => server.port, faults)

  const methods: string[] = []
  const offsets: number[] = []
  const url = await new Promise<string>((resolve, reject) => {
    // The types know only the browser; in Node the client accepts file streams.
    const upload = new Upload(createReadStream(source) as unknown as Buffer, {
      endpoint: `http://127.0.0.1:${proxy.port}/files/`,
      chunkSize: 180 * mebibyte,
      retryDelays: Array<number>(100).fill(100),
      onBeforeRequest: (request) => void methods.push(request.getMethod()),
      onAfterResponse(_request, response) {
        const offset = response.getHeader('upload-offset')
        if (offset !== undefined) offsets.push(Number(offset))
      },
      onSuccess: () => resolve(upload.url!),
      onError: reject,
    })
    upload.start()
  })

  expect(faults).toEqual([])
  expect(methods.filter((method) => method === 'POST')).toHaveLength(1)
  expect(methods.filter((method) => method === 'HEAD').length).toBeGreaterThanOrEqual(4)
  expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
  expect(offsets.at(-1)).toBe(length)
  // The server keeps the bytes of a broken request, so hardly any byte is sent twice.
  expect(proxy.received).toBeLessThan(length + 200 * mebibyte)
  const stored = join(directory, url.split('/').at(-1)!)
  expect((await stat(stored)).size).toBe(length)
  expect(await digestOf(stored)).toBe(await digestOf(source))
})

/** A fault that happens after that many bytes have gone to the server. */
interface Fault {
  readonly after: number
  act(proxy: Proxy): void | Promise<void>
}

/** Passes bytes on, and triggers the faults in their order. */
class Proxy {
  /** Bytes sent to the server so far. */
  received = 0
  port = 0
  readonly #sockets = new Set<Socket>()

  static async start(target: () => number, faults: Fault[]): Promise<Proxy> {
    const proxy = new Proxy()
    const listener = createServer((client) => {
      const server = connect(target(), '127.0.0.1')
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        proxy.#sockets.add(from)
        from.on('error', () => {})
        from.on('close', () => {
          proxy.#sockets.delete(from)
          to.destroy()
        })
        from.pipe(to)
      }
      client.on('data', (bytes) => {
        proxy.received += bytes.length
        if (faults[0] === undefined || proxy.received < faults[0].after) return
        void faults.shift()!.act(proxy)
      })
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    proxy.port = (listener.address() as AddressInfo).port
    onTestFinished(() => {
      listener.close()
      proxy.cut()
    })
    return proxy
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** A server process that restarts on the same port. */
class ServerProcess {
  port = 0
  readonly #directory: string
  #child: ChildProcess | undefined

  constructor(directory: string) {
    this.#directory = directory
    onTestFinished(() => this.#kill())
  }

  async start(): Promise<void> {
    const program = fileURLToPath(new URL('../programs/upload-server.mjs', import.meta.url))
    const child = spawn(process.execPath, [program, this.#directory, String(this.port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    this.port = Number(line.toString().split(' ').at(-1))
  }

  async killAndRestart(): Promise<void> {
    await this.#kill()
    await this.start()
  }

  async #kill(): Promise<void> {
    const child = this.#child!
    const exited = once(child, 'exit')
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await exited
  }
}

/** The key stream of a cipher: fast, reproducible and without a pattern. */
function* pseudoRandom(size: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16))
  const zeros = Buffer.alloc(mebibyte)
  for (let left = size; left > 0; left -= mebibyte) {
    yield cipher.update(zeros.subarray(0, Math.min(left, mebibyte)))
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: mebibyte }), hash)
  return hash.digest('hex')
}
