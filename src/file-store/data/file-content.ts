import type { Readable } from 'node:stream'
import { contentStream } from '../../store-kit/content-stream.js'
import type { OpenFile } from '../disk/disk.js'

/** Pieces double in size, so that a client that reads little uses little memory. */
const firstPiece = 65_536
const largestPiece = 1_048_576

/** Streams the bytes from `start` to before `end`, then closes the file. */
export function streamFile(file: OpenFile, start: number, end: number): Readable {
  return contentStream(pieces(file, start, end), {
    size: Math.max(0, end - start),
    // A descriptor closed during a read could be reused for another file.
    close: async (idle) => {
      await idle
      await file.close()
    },
  })
}

async function* pieces(file: OpenFile, start: number, end: number): AsyncGenerator<Buffer> {
  let size = firstPiece
  for (let position = start; position < end; size = Math.min(size * 2, largestPiece)) {
    const length = Math.min(size, end - position)
    // Not from Node's pool, because a small piece would keep the pool from being reused.
    const buffer = Buffer.allocUnsafeSlow(length)
    const count = await file.read(buffer, 0, length, position)
    if (count === 0) return
    position += count
    yield buffer.subarray(0, count)
  }
}
