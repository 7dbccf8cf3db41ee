import { Readable } from 'node:stream'
import type { OpenFile } from '../disk/disk.js'

/** Pieces double in size, so that a client that reads little uses little memory. */
const firstPiece = 65_536
const largestPiece = 1_048_576

/** Streams the bytes from `start` to before `end`, then closes the file. */
export function streamFile(file: OpenFile, start: number, end: number): Readable {
  let position = start
  let size = firstPiece
  let reading = Promise.resolve()

  async function nextPiece(): Promise<Buffer | null> {
    const length = Math.min(size, end - position)
    if (length <= 0) return null
    // Not from Node's pool, because a small piece would keep the pool from being reused.
    const buffer = Buffer.allocUnsafeSlow(length)
    const count = await file.read(buffer, 0, length, position)
    position += count
    size = Math.min(size * 2, largestPiece)
    return count === 0 ? null : buffer.subarray(0, count)
  }

  return new Readable({
    // One piece is read ahead.
    highWaterMark: 1,
    read() {
      reading = nextPiece().then(
        (piece) => void this.push(piece),
        (error: Error) => void this.destroy(error),
      )
    },
    destroy(error, done) {
      // A descriptor closed during a read could be reused for another file.
      void reading
        .then(() => file.close())
        .then(
          () => done(error),
          (failure: Error) => done(error ?? failure),
        )
    },
  })
}
