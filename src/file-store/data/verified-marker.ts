import { constants } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { TusError } from '../../errors.js'
import type { Directory } from '../disk/directory.js'
import { unlessMissing } from '../disk/unless-missing.js'
import type { OpenFile } from '../disk/disk.js'

const slotSize = 32

/** Returns the path of the marker of the data at `path`. */
export function markerPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.verified`)
}

/**
 * The verified offset of an upload, in a file next to its data. The file exists from before the
 * first unverified byte until the upload is full.
 *
 * It has two slots, each a number with its checksum. The larger valid one counts, and a change goes
 * to the other one. So a write that is cut off, or seen half done, leaves the previous number.
 * While no slot is valid, no unverified byte has been written, and the marker counts as absent.
 */
export class VerifiedMarker {
  readonly #path: string
  readonly #file: OpenFile
  readonly #directory: Directory
  readonly #slots: number[]

  private constructor(path: string, file: OpenFile, directory: Directory, slots: number[]) {
    this.#path = path
    this.#file = file
    this.#directory = directory
    this.#slots = slots
  }

  /** Opens the marker at `path`, and creates it if it is missing. */
  static async open(path: string, directory: Directory): Promise<VerifiedMarker> {
    const file = await directory.createFile(
      path,
      constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0),
    )
    try {
      return new VerifiedMarker(path, file, directory, await readSlots(file))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Returns the offset in the marker at `path`, or `undefined` if it is missing. */
  static async read(path: string, directory: Directory): Promise<number | undefined> {
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
    // Usually it is missing, and a failing open costs more than `lstat`.
    if ((await directory.disk.lstat(path)) === undefined) return undefined
    const file = await unlessMissing(directory.disk.open(path, flags))
    if (file === undefined) return undefined
    try {
      const offset = Math.max(...(await readSlots(file)))
      // A concurrent writer may not have waited for the disk yet, and a reported offset must last.
      await directory.sync(file)
      return offset < 0 ? undefined : offset
    } finally {
      await file.close()
    }
  }

  /** The verified offset; -1 while none was written. */
  get offset(): number {
    return Math.max(...this.#slots)
  }

  /** Moves the marker. Resolves once that is stored. */
  async set(offset: number): Promise<void> {
    // First, so that the name of a marker that counts is on the disk.
    if (this.offset < 0) await this.#directory.syncFolder(dirname(this.#path))
    const other = this.#slots[0]! <= this.#slots[1]! ? 0 : 1
    await this.#write(other, offset)
    // The marker moved back, so the larger number has to go as well.
    if (this.offset !== offset) await this.#write(1 - other, offset)
    await this.#directory.sync(this.#file)
  }

  async #write(slot: number, offset: number): Promise<void> {
    const bytesWritten = await this.#file.write(encode(offset), slot * slotSize)
    if (bytesWritten < slotSize) throw new TusError('ERR_STORAGE_FULL')
    this.#slots[slot] = offset
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

/** Both slots; -1 for one that holds no valid number. */
async function readSlots(file: OpenFile): Promise<number[]> {
  const bytes = Buffer.alloc(2 * slotSize)
  await file.read(bytes, 0, bytes.length, 0)
  return [bytes.subarray(0, slotSize), bytes.subarray(slotSize)].map(decode)
}

function encode(offset: number): Buffer {
  const digits = String(offset).padStart(16, '0')
  return Buffer.from(`${digits} ${checksum(digits)}\n`.padStart(slotSize))
}

function decode(slot: Buffer): number {
  const [, digits, sum] = /^ *(\d{16}) ([0-9a-f]{8})\n$/.exec(slot.toString('latin1')) ?? []
  return digits !== undefined && sum === checksum(digits) ? Number(digits) : -1
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}
