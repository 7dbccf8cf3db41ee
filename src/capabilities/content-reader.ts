import type { Readable } from 'node:stream'
import type { Upload } from '../upload.js'
import type { ReadOptions } from './call-options.js'

/** The bytes from `start` to `end`, both included, both counted from 0. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Reads finished uploads. Filling the slot turns downloads on. */
export interface ContentReader {
  /**
   * The bytes of `range`, or all of them without one; or a URL where the client gets them. The caller destroys
   * the stream when it stops early.
   *
   * Rejects with `ERR_DATA_MISSING` when nothing is there. Look at the signal before you give it to a stream: one that is made
   * with an aborted signal fails before anybody listens, which ends the process.
   */
  read(
    upload: Upload,
    range: ByteRange | undefined,
    options: ReadOptions,
  ): Promise<Readable | { readonly redirect: string }>
}
