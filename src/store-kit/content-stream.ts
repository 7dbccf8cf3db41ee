import { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import { checkOptions, must } from '../check-options.js'
import { isTusError, TusError } from '../errors.js'

/** Options of {@link contentStream}. */
export interface ContentStreamOptions {
  /** The number of bytes that the reader gets: the size of the range or of the upload. */
  readonly size: number
  /**
   * Releases what the source holds, such as a connection. Called exactly once: when the stream has
   * ended, has failed or is destroyed. Its own failure is ignored.
   *
   * It is called at once, even during a read, because a server that has stopped responding never
   * ends that read: only closing the connection does. If the source must not be closed during a
   * read, wait for `idle`, which resolves when no read is in progress.
   *
   * @default a source that is a stream is destroyed at once; otherwise nothing is released
   */
  readonly close?: (idle: Promise<void>) => unknown
}

const rules = { size: { ...must.beSize, required: true }, close: must.beFunction }

/**
 * Returns a stream of exactly `size` bytes, for {@link ContentReader.read}.
 *
 * A download that breaks off must never look like one that has ended. So the stream fails with
 * `ERR_STORAGE_UNAVAILABLE` if the source ends early or fails. If the source throws a `TusError`,
 * the stream fails with that. It ignores bytes beyond `size`. It reads at most one piece ahead of
 * the reader.
 *
 * When the stream is over before the source is, it also calls the `return()` of the source's
 * iterator. So the `finally` block of a generator runs, unless the generator has never started:
 * release in `close` what you have opened before.
 *
 * @param pieces - The bytes from the beginning of the range on, in pieces of any size.
 *
 * @example
 * async read(upload, range) {
 *   const { start, end } = range ?? { start: 0, end: upload.length - 1 }
 *   const object = await this.#bucket.download(upload.id, start, end)
 *   return contentStream(object, { size: end - start + 1, close: () => object.destroy() })
 * }
 */
export function contentStream(
  pieces: AsyncIterable<Uint8Array>,
  options: ContentStreamOptions,
): Readable {
  const { size, ...checked } = checkOptions('contentStream', options, rules)
  const stream = pieces instanceof EventEmitter ? (pieces as Readable) : undefined
  const { close = () => stream?.destroy() } = checked
  // A read reports its errors. Those that come before or after all reads would end the process.
  stream?.on('error', () => {})
  let left = size
  const source = pieces[Symbol.asyncIterator]()
  /** Whether the source has ended or failed. */
  let isOver = false
  let reading = Promise.resolve()

  async function nextPiece(): Promise<Buffer> {
    for (;;) {
      const { done, value } = await source.next()
      if (done) throw new Error(`The content ended ${left} bytes early`)
      if (value.length === 0) continue
      const length = Math.min(value.length, left)
      left -= length
      return Buffer.from(value.buffer, value.byteOffset, length)
    }
  }

  return new Readable({
    // One piece is read ahead.
    highWaterMark: 1,
    read() {
      if (left === 0) return void this.push(null)
      reading = nextPiece().then(
        (piece) => {
          this.push(piece)
          if (left === 0) this.push(null)
        },
        (cause: unknown) => {
          isOver = true
          const failure = new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
          this.destroy(isTusError(cause) ? cause : failure)
        },
      )
    },
    destroy(error, done) {
      const ending = async () => isOver || source.return?.()
      ending().catch(() => {})
      const closing = (async () => close(reading))().catch(() => {})
      // The reader of a stream that has failed must not wait for a connection to be closed.
      if (error) done(error)
      else void closing.then(() => done(null))
    },
  })
}
