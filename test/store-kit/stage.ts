import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { UploadBody } from 'tuskit'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Collects garbage, and returns the bytes of all buffers that remain. */
export function bytesOfBuffers(): number {
  // Memory that the first run found is freed in the background, or when the second one begins.
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** The same items, with the number of items that were taken and whether they were ended. */
export function watched<T>(items: Iterable<T> | AsyncIterable<T>) {
  const seen = { taken: 0, ended: false }
  async function* passOn() {
    try {
      for await (const item of items) {
        seen.taken++
        yield item
      }
    } finally {
      seen.ended = true
    }
  }
  return { items: passOn(), seen }
}

/** A body of these batches that is watched. */
export function watchedBody(
  batches: Iterable<readonly Buffer[]> | AsyncIterable<readonly Buffer[]>,
  size?: number,
) {
  const { items, seen } = watched(batches)
  return { body: bodyFrom(items, size), seen }
}

export function bodyFrom(batches: AsyncIterable<readonly Buffer[]>, size?: number): UploadBody {
  return {
    size,
    [Symbol.asyncIterator]: () => batches[Symbol.asyncIterator](),
    readable: () => Readable.from(batches),
  }
}

/** A body whose client is silent after the first batches, and whose `return()` never resolves. */
export function silentBody(...batches: readonly (readonly Buffer[])[]) {
  const left = [...batches]
  const seen = { returned: false }
  const iterator: AsyncIterator<readonly Buffer[]> = {
    next: async () => {
      const value = left.shift()
      return value === undefined ? new Promise(() => {}) : { done: false, value }
    },
    return: () => {
      seen.returned = true
      return new Promise(() => {})
    },
  }
  return { body: bodyFrom({ [Symbol.asyncIterator]: () => iterator }), seen }
}

/** Bytes in which no two sections are alike. */
export function sample(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 255
  return bytes
}

/** Resolves when the stream has been closed, to the error with which it failed. */
export async function closed(stream: Readable): Promise<unknown> {
  stream.on('error', () => {})
  // The event follows in the same turn.
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  await new Promise(setImmediate)
  return stream.errored ?? undefined
}
