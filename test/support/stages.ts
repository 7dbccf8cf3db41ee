import type { Socket } from 'node:net'
import { expect } from 'vitest'
import type { DataStore, Logger, StoreComposer, UploadBody } from 'tuskit'
import {
  fileComposer,
  memoryComposer,
  patch,
  send,
  temporaryDirectory,
  tus,
  type Site,
} from './serve.js'

/** The stores with which every promise is tested. */
export const media: readonly (readonly [name: string, compose: () => Promise<StoreComposer>])[] = [
  ['memory', async () => memoryComposer()],
  ['files', async () => fileComposer(await temporaryDirectory())],
]

/** Options of calls that are never interrupted. */
export const noAbort = { signal: new AbortController().signal } as const

/** A point at which a test decides when code continues. */
export interface Gate {
  /** Resolves when code waits at the gate. */
  readonly reached: Promise<void>
  /** Waits at the gate. */
  pass(): Promise<void>
  open(): void
}

export function newGate(): Gate {
  let reach!: () => void
  let open!: () => void
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const opened = new Promise<void>((resolve) => (open = resolve))
  return {
    reached,
    pass() {
      reach()
      return opened
    },
    open,
  }
}

/** A store in which a test replaces or delays single operations. */
export function storeWith(store: DataStore, changes: Partial<DataStore>): DataStore {
  return {
    maxSize: store.maxSize,
    locate: (upload) => store.locate(upload),
    create: (upload, options) => store.create(upload, options),
    stat: (upload, options) => store.stat(upload, options),
    append: (upload, from, body, options) => store.append(upload, from, body, options),
    ...changes,
  }
}

/** A store's observations about the bodies that it received. */
export interface Seen {
  /** Bytes of each batch. */
  readonly sizes: number[]
  /** Buffers of each batch. */
  readonly counts: number[]
  /** How each body ended. */
  readonly ends: ('end' | 'exception')[]
}

/** Wraps a store so that it waits before it takes the first batch, and records what it receives. */
export function slowStore(store: DataStore, pass: () => Promise<void>): DataStore & { seen: Seen } {
  const seen: Seen = { sizes: [], counts: [], ends: [] }
  async function* watch(body: UploadBody): AsyncGenerator<readonly Buffer[]> {
    try {
      for await (const batch of body) {
        seen.sizes.push(batch.reduce((sum, { length }) => sum + length, 0))
        seen.counts.push(batch.length)
        await pass()
        yield batch
      }
      seen.ends.push('end')
    } catch (error) {
      seen.ends.push('exception')
      throw error
    }
  }
  const slow = storeWith(store, {
    append: (upload, from, body, options) => {
      const watched = {
        size: body.size,
        readable: () => body.readable(),
        [Symbol.asyncIterator]: () => watch(body),
      }
      return store.append(upload, from, watched, options)
    },
  })
  return Object.assign(slow, { seen })
}

export interface Line {
  readonly level: keyof Logger
  readonly message: string
  readonly fields: Record<string, unknown>
}

/** A logger that keeps its lines. */
export function keptLog(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = []
  const at =
    (level: keyof Logger) =>
    (message: string, fields: object = {}) => {
      lines.push({ level, message, fields: { ...fields } })
    }
  return { lines, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** Returns the bytes of a finished upload. */
export async function download(url: string): Promise<Buffer> {
  const reply = await send({ method: 'GET', url })
  expect(reply.status).toBe(200)
  return reply.body
}

/** Returns the offset that HEAD reports. */
export async function offsetOf(url: string): Promise<number> {
  const reply = await send({ method: 'HEAD', url, headers: tus })
  expect(reply.status).toBe(200)
  return Number(reply.headers['upload-offset'])
}

/**
 * Sends the rest of `data`, and expects the stored bytes to be its beginning. A server that has not
 * yet noticed that the last client is gone may store more after HEAD. Then one 409 has the new
 * offset.
 */
export async function finishAndCompare(url: string, data: Buffer): Promise<void> {
  let offset = await offsetOf(url)
  if (offset < data.length) {
    let reply = await patch(url, offset, data.subarray(offset))
    if (reply.status === 409) {
      offset = Number(reply.headers['upload-offset'])
      reply = await patch(url, offset, data.subarray(offset))
    }
    expect(reply.status).toBe(204)
  }
  expect((await download(url)).equals(data)).toBe(true)
}

/** Counts the bytes that the server reads from each connection from now on. */
export function countReceived({ server }: Site): () => Promise<number> {
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  return async () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
}
