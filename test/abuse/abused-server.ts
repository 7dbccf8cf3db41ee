import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect } from 'vitest'
import { send, tus } from '../support/serve.js'

const program = fileURLToPath(new URL('../programs/abused-server.mjs', import.meta.url))

/** The resources that a server process uses. */
export interface Usage {
  readonly descriptors: number
  /** The maximum number of descriptors. */
  readonly limit: number
  readonly locks: number
  /** Bytes of the heap, after a collection. */
  readonly rss: number
}

/** A server in a process of its own, which should survive everything. */
export class AbusedServer {
  port = 0
  /** The lines that it logged as errors. */
  readonly errors: string[] = []
  measure: () => Promise<Usage> = () => Promise.reject(new Error('The server has not started'))

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }
}

/**
 * Starts a server for all tests of a file. At the end it must still run, and must have logged no
 * error.
 */
export function abusedServer(): AbusedServer {
  const server = new AbusedServer()
  let stop: () => Promise<void>
  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tuskit-abuse-'))
    const child = fork(program, [directory], { execArgv: ['--expose-gc'] })
    const exited = once(child, 'exit')
    child.on('message', ({ error }: { error?: string }) => {
      if (error !== undefined) server.errors.push(error)
    })
    const nextValue = async <Key extends string, Value>(key: Key): Promise<Value> => {
      for (;;) {
        const [message] = (await Promise.race([
          once(child, 'message'),
          exited.then(() => Promise.reject(new Error('The server process has ended'))),
        ])) as [Record<Key, Value>]
        if (key in message) return message[key]
      }
    }
    server.port = await nextValue('port')
    server.measure = async () => {
      const measured = nextValue<'measured', Usage>('measured')
      child.send('measure')
      return measured
    }
    stop = async () => {
      expect(child.exitCode, 'the server process still runs').toBe(null)
      child.kill('SIGKILL')
      await exited
      await rm(directory, { recursive: true, force: true })
      expect(server.errors, 'errors that the server logged').toEqual([])
    }
  })
  afterAll(() => stop())
  return server
}

/** Creates an upload of the given length, and returns its path. */
export async function newUpload({ origin }: AbusedServer, length: number): Promise<string> {
  const headers = { ...tus, 'upload-length': String(length) }
  const { headers: received, status } = await send({
    method: 'POST',
    url: `${origin}/files`,
    headers,
  })
  expect(status).toBe(201)
  return received.location!
}

/** Returns the text of a request. A `body` needs a `Content-Length` among the `lines`. */
export function requestText(method: string, path: string, lines: readonly string[] = []): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n')
}

export const chunkLines = [
  'Tus-Resumable: 1.0.0',
  'Content-Type: application/offset+octet-stream',
  'Upload-Offset: 0',
]

export interface RawResponse {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Returns the responses in the text of a connection, including interim ones. */
export function responsesIn(text: string): RawResponse[] {
  return text.split(/(?=HTTP\/1\.1 \d{3} )/).map((response) => {
    const [head = '', body = ''] = response.split(/\r\n\r\n([^]*)/)
    return { status: Number(head.slice(9, 12)), head, body }
  })
}

/**
 * Expects a refusal to give its reason: a code and a sentence, or only a status if Node refused
 * before tuskit ran.
 */
export function expectReason({ body, head, status }: RawResponse): void {
  if (/^tus-resumable: /im.test(head)) expect(body).toMatch(/^ERR_[A-Z_]+: [^\n]+\n$/)
  else if (/^content-type: application\/problem\+json/im.test(head)) {
    expect(JSON.parse(body)).toMatchObject({ status, code: expect.stringMatching(/^ERR_/) })
  } else expect([400, 408, 413, 417, 431]).toContain(status)
}

export async function openSocket({ port }: AbusedServer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Writes, and resolves when the bytes have left this process. */
export function write(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => socket.write(bytes as string, 'latin1', () => resolve()))
}

/** Resolves when a server has as many descriptors and locks as before. */
export async function expectBack(server: AbusedServer, before: Usage): Promise<void> {
  const { descriptors } = before
  const measure = async () => {
    const now = await server.measure()
    // Fewer than before is not a leak: a connection of an earlier test may have been about to
    // close.
    return { descriptors: Math.max(now.descriptors, descriptors), locks: now.locks }
  }
  await expect.poll(measure, { timeout: 60_000 }).toEqual({ descriptors, locks: 0 })
}
