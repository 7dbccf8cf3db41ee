import { constants } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Stat } from '../../capabilities/data-store.js'
import type { WriteOptions } from '../../capabilities/call-options.js'
import type { Directory } from '../disk/directory.js'
import type { OpenFile } from '../disk/disk.js'
import { TusError } from '../../errors.js'
import { assertMayChange } from '../../store-kit/assert-may-change.js'
import { joinPieces, moveOver, withScratch } from './replacement.js'
import { markerPath, VerifiedMarker } from './verified-marker.js'
import { writeFully } from '../disk/write-fully.js'

/** The state of a data file and its marker. */
export interface FileStat extends Stat {
  /** Bytes in the file. More than `offset` when it ends in unverified bytes. */
  readonly size: number
  /** Whether the file has a marker. */
  readonly marked: boolean
}

export function isFileStat(stat: Stat): stat is FileStat {
  return 'marked' in stat && 'size' in stat
}

/** How a data file is opened. */
export interface OpenOptions {
  readonly path: string
  readonly from: FileStat
  readonly directory: Directory
  readonly write: WriteOptions
  /** Whether written bytes count only after the marker has moved. */
  readonly unverified: boolean
}

/** The data of one upload, open for one chunk. */
export class DataFile {
  readonly #file: OpenFile
  readonly #marker: VerifiedMarker | undefined
  readonly #options: OpenOptions
  /** Where the next byte goes. */
  end: number

  private constructor(file: OpenFile, marker: VerifiedMarker | undefined, options: OpenOptions) {
    this.#file = file
    this.#marker = marker
    this.#options = options
    this.end = options.from.offset
  }

  /** Opens the data and truncates it to the offset, with the marker there. */
  static async open(options: OpenOptions): Promise<DataFile> {
    const { path, from, directory, write, unverified } = options
    assertMayChange(write)
    if (write.fence.forced) {
      await detach(options)
      write.fence.shutOut()
    }
    const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)
    const file = await directory.openFile(path, flags)
    try {
      assertMayChange(write)
      // Bytes beyond the offset were never verified: without a marker, the offset is the size. The
      // file is cut before the marker moves, and readers see the smaller of the two.
      if (from.size > from.offset) await file.truncate(from.offset)
      if (!from.marked && !unverified) return new DataFile(file, undefined, options)
      const marker = await VerifiedMarker.open(markerPath(path), directory)
      const data = new DataFile(file, marker, options)
      try {
        await data.#move()
      } catch (error) {
        await marker.close()
        throw error
      }
      return data
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Writes a batch at the end. */
  async write(batch: readonly Buffer[]): Promise<void> {
    assertMayChange(this.#options.write)
    this.end += await writeFully(this.#file, batch, this.end)
  }

  /** Makes the written bytes count. */
  async commit(): Promise<void> {
    await this.#options.directory.sync(this.#file)
    await this.#move()
    await this.#mustBeThere()
    // A write at the moment the lock was lost may have gone to a file that is no longer there.
    assertMayChange(this.#options.write)
  }

  /**
   * Throws when the file has been removed or replaced: it can still be written to, but the bytes
   * are lost. A file that was moved still has a name, and keeps its bytes and the new ones.
   */
  async #mustBeThere(): Promise<void> {
    const { directory, write } = this.#options
    if ((await this.#file.stat()).nlink > 0) return
    // The next holder may have replaced it with a copy.
    assertMayChange(write)
    await directory.confirm()
    throw new TusError('ERR_DATA_MISSING')
  }

  /** Removes the bytes written since the last commit. */
  async discard(): Promise<void> {
    assertMayChange(this.#options.write)
    await this.#file.truncate(this.#options.from.offset)
    this.end = this.#options.from.offset
  }

  /** Returns what is stored. Removes the marker of a complete upload: it is no longer needed. */
  async settle(length: number | undefined): Promise<FileStat> {
    const { path, write } = this.#options
    const full = this.end === length
    if (full && this.#marker !== undefined) {
      assertMayChange(write)
      await rm(markerPath(path), { force: true })
    }
    return { offset: this.end, size: this.end, marked: !full && this.#marker !== undefined }
  }

  async close(): Promise<void> {
    try {
      await this.#file.close()
    } finally {
      await this.#marker?.close()
    }
  }

  async #move(): Promise<void> {
    if (this.#marker === undefined || this.#marker.offset === this.end) return
    assertMayChange(this.#options.write)
    await this.#marker.set(this.end)
  }
}

/**
 * Replaces data and marker with copies. A previous holder that still has them open then writes to
 * files that are no longer there.
 */
async function detach({ path, from, directory, write }: OpenOptions): Promise<void> {
  await withScratch(path, directory, write, async (temporary) => {
    await joinPieces(temporary, [{ path, length: from.offset }], directory, write)
    await moveOver(temporary, path, directory, write)
    if (!from.marked) return rm(markerPath(path), { force: true })
    const marker = await VerifiedMarker.open(temporary, directory)
    try {
      await marker.set(from.offset)
    } finally {
      await marker.close()
    }
    await moveOver(temporary, markerPath(path), directory, write)
  })
}
