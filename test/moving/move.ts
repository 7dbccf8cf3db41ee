import assert from 'node:assert/strict'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Upload } from 'tus-js-client'
import { freePort } from '../support/free-port.js'
import { program, type Move } from './moves.js'

const run = promisify(execFile)

/** Sizes of the files, in bytes. The first is finished before the move. */
const sizes = [50_000, 1, 300_000, 3_000_000, 20_000_000, 50_000_000]

/** Clients try for two minutes, which a move does not take. */
const retryDelays = Array.from({ length: 600 }, () => 200)

/**
 * Uploads several files with tus-js-client, stops the old server in the middle, adopts what it has
 * stored, and starts tuskit in its place. Throws unless the same clients finish at the same URLs,
 * with the right content and the right hooks.
 */
export async function move(how: Move): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tuskit-moving-'))
  const hook = await HookServer.start()
  const place = { directory, port: await freePort(), hook: hook.url }
  let server: RunningServer | undefined
  try {
    server = await RunningServer.start(how.before(place), place.port)
    const clients = sizes.map((size) => new Client(size, `http://127.0.0.1:${place.port}/files/`))
    const [first, ...others] = clients as [Client, ...Client[]]
    first.release()
    await first.finished
    await Promise.all(others.map((client) => client.half))
    const urls = others.map(({ url }) => url)
    await server.stop()
    for (const client of others) client.release()

    const { stdout } = await run(process.execPath, [program, 'adopt', ...how.adopt(directory)])
    assert.match(stdout, new RegExp(`Uploads: ${sizes.length} adopted, .* 0 not adopted`))
    server = await RunningServer.start(how.after(place), place.port)
    await Promise.all(others.map((client) => client.finished))

    assert.deepEqual(
      others.map(({ url }) => url),
      urls,
      'a URL has changed',
    )
    for (const client of clients) await client.check()
    await hook.received(clients.length)
    await server.stop()
    hook.check(clients.map(({ url }) => url!.split('/').at(-1)!))
    return `${how.name}: ${clients.length} files, same URLs, same content, a hook each`
  } finally {
    server?.kill()
    hook.close()
    await rm(directory, { recursive: true })
  }
}

/** A promise that is settled from outside. */
class Deferred {
  resolve!: () => void
  reject!: (reason: unknown) => void
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })

  constructor() {
    // Somebody may begin to wait for it only later.
    this.promise.catch(() => {})
  }
}

/** An upload with tus-js-client that waits in the middle until it is released. */
class Client {
  readonly #content: Buffer
  readonly #upload: Upload
  readonly #half = new Deferred()
  readonly #released = new Deferred()
  readonly #finished = new Deferred()
  #creations = 0
  #chunks = 0

  constructor(size: number, endpoint: string) {
    this.#content = randomBytes(size)
    this.#upload = new Upload(this.#content, {
      endpoint,
      chunkSize: Math.ceil(size / 4),
      retryDelays,
      metadata: { filename: `größe ${size}.bin`, filetype: 'application/octet-stream' },
      onBeforeRequest: (request) => this.#beforeRequest(request.getMethod()),
      onSuccess: () => this.#finished.resolve(),
      onError: (error) => this.#finished.reject(error),
    })
    this.#upload.start()
  }

  get url(): string | null {
    return this.#upload.url
  }

  /** Resolves when half of the file has been stored. */
  get half(): Promise<void> {
    return Promise.race([this.#half.promise, this.#finished.promise])
  }

  get finished(): Promise<void> {
    return this.#finished.promise
  }

  release(): void {
    this.#released.resolve()
  }

  /** Checks that the upload was created once, and downloads it. */
  async check(): Promise<void> {
    assert.equal(this.#creations, 1, 'an upload was created again')
    const response = await fetch(this.url!)
    assert.equal(response.status, 200)
    const content = Buffer.from(await response.arrayBuffer())
    assert.equal(sha256(content), sha256(this.#content), 'the content has changed')
  }

  async #beforeRequest(method: string): Promise<void> {
    if (method === 'POST') this.#creations++
    if (method !== 'PATCH' || ++this.#chunks < Math.min(3, this.#content.length)) return
    this.#half.resolve()
    await this.#released.promise
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A server of the move, in a process of its own. */
class RunningServer {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  static async start([command, ...args]: readonly [string, ...string[]], port: number) {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    const server = new RunningServer(child)
    const ended = server.#exited.then(() => Promise.reject(new Error(`${command} has ended`)))
    ended.catch(() => {})
    await Promise.race([listening(port, () => child.exitCode !== null), ended])
    return server
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
    this.#exited.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

async function listening(port: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const socket = net.connect(port, '127.0.0.1')
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
    await setTimeout(20)
  }
}

/** Keeps the messages that hooks get. */
class HookServer {
  readonly #messages: string[] = []
  readonly #arrived = new EventEmitter()
  readonly #server = http.createServer((request, response) => {
    void text(request).then((message) => {
      this.#messages.push(message)
      this.#arrived.emit('message')
      response.setHeader('content-type', 'application/json')
      response.end('{}')
    })
  })

  static async start(): Promise<HookServer> {
    const hooks = new HookServer()
    hooks.#server.listen(0, '127.0.0.1')
    await once(hooks.#server, 'listening')
    return hooks
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  async received(count: number): Promise<void> {
    while (this.#messages.length < count) await once(this.#arrived, 'message')
  }

  /** Throws unless there is one message about each upload, all in the same form. */
  check(ids: readonly string[]): void {
    const counts = ids.map((id) => this.#messages.filter((text) => text.includes(id)).length)
    assert.deepEqual(
      counts,
      ids.map(() => 1),
      'hooks were not called once for each upload',
    )
    const shapes = this.#messages.map((message) => shapeOf(JSON.parse(message)))
    for (const shape of shapes) assert.deepEqual(shape, shapes[0], 'a message has another form')
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

/**
 * Returns the names of all members, without those of headers, which clients choose, and without the
 * path of a record, which is sent by tusd only.
 */
function shapeOf(value: unknown, path = ''): readonly string[] {
  if (path.endsWith('.InfoPath')) return []
  if (typeof value !== 'object' || value === null || /headers?$/i.test(path)) return [path]
  return Object.entries(value)
    .flatMap(([name, member]) => shapeOf(member, `${path}.${name}`))
    .sort()
}
