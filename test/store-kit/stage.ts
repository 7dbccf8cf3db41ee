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

/** A body of these batches, with the number of batches that were taken and whether it was ended. */
export function watchedBody(
  batches: Iterable<readonly Buffer[]> | AsyncIterable<readonly Buffer[]>,
  size?: number,
) {
  const seen = { taken: 0, ended: false }
  async function* watched() {
    try {
      for await (const batch of batches) {
        seen.taken++
        yield batch
      }
    } finally {
      seen.ended = true
    }
  }
  return { body: bodyFrom(watched(), size), seen }
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
