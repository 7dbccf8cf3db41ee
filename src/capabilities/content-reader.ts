import type { Readable } from 'node:stream'
import type { Upload } from '../upload.js'
import type { ReadOptions } from './call-options.js'

/** The bytes from `start` to `end`, both inclusive and counted from 0. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Reads finished uploads. Filling the slot enables downloads. */
export interface ContentReader {
  /**
   * Returns the bytes of `range`, or all of them without a range. May return a URL instead, where
   * the client gets them. The stream delivers all bytes or fails: one that ends early would look
   * complete.
   *
   * The signal counts until the promise settles. Afterwards the caller destroys the stream to stop
   * it, and that releases everything that it holds. If a later abort stops the stream too, it must
   * fail, not end.
   *
   * Rejects with `ERR_DATA_MISSING` if there is no data. Check the signal before you pass it to a
   * stream: a stream that is created with an aborted signal fails before anything listens to it,
   * which ends the process.
   */
  read(
    upload: Upload,
    range: ByteRange | undefined,
    options: ReadOptions,
  ): Promise<Readable | { readonly redirect: string }>
}
