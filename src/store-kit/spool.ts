import { randomUUID } from 'node:crypto'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ReadOptions } from '../capabilities/call-options.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import { checkOptions, must } from '../check-options.js'
import { TusError } from '../errors.js'
import { readableOf } from '../readable-of.js'
import { eachBatch } from './each-batch.js'
import { translated } from './translated.js'

/** Options of {@link spool}. */
export interface SpoolOptions extends ReadOptions {
  /**
   * The number of bytes that are kept in memory. A longer body goes to a file. Can be `Infinity`.
   *
   * @default 1048576
   */
  readonly memory?: number
  /**
   * The directory of that file. It must exist.
   *
   * @default os.tmpdir()
   */
  readonly directory?: string
}

/** The bytes that {@link spool} has collected. Close it when you no longer need them. */
export interface Spool {
  /** The number of bytes. */
  readonly size: number
  /**
   * Returns the bytes as a body. Call it as often as you need; each body can be read once. It fails
   * with `ERR_STORAGE_UNAVAILABLE` when the file cannot be read. Throws after `close`; a body that
   * is read after `close` fails, too.
   */
  body(): UploadBody
  /** Frees the memory and the disk. Wait until no body is being read. May be called twice. */
  close(): Promise<void>
}

/** The size of the pieces in which a file is read. */
const pieceSize = 262_144

const rules = {
  signal: { ...must.beSignal, required: true },
  memory: must.beLimit,
  directory: must.beText,
}

/**
 * Collects a body and resolves to its bytes when it has ended. Use it in `appendVerified` if your
 * storage cannot hold bytes that do not count yet: collect the chunk, call `accept`, and then
 * append what was collected.
 *
 * Up to `memory` bytes stay in memory. A longer body goes to a temporary file that only this user
 * can read. Its name is removed as soon as it is open, so the system frees the space even after a
 * crash.
 *
 * Rejects with `ERR_STORAGE_UNAVAILABLE` when that file cannot be written. That includes a full
 * disk, because it is not your storage that is full. When the signal aborts, rejects with
 * `signal.reason` without waiting for the body. Nothing remains after a rejection.
 *
 * @example
 * async appendVerified(upload, from, body, accept, options) {
 *   const chunk = await spool(body, { signal: options.signal })
 *   try {
 *     if (!(await accept())) return from
 *     return await this.append(upload, from, chunk.body(), options)
 *   } finally {
 *     await chunk.close()
 *   }
 * }
 */
export async function spool(body: UploadBody, options: SpoolOptions): Promise<Spool> {
  const checked = checkOptions('spool', options, rules)
  const { signal, memory = 1_048_576, directory = tmpdir() } = checked
  const collected = new Collected(directory, memory)
  try {
    await eachBatch(body, { signal }, (batch) => collected.add(batch))
    return collected
  } catch (error) {
    await collected.close()
    throw error
  }
}

class Collected implements Spool {
  readonly #directory: string
  readonly #memory: number
  #buffers: Buffer[] = []
  #file: FileHandle | undefined
  #size = 0
  #closed = false

  constructor(directory: string, memory: number) {
    this.#directory = directory
    this.#memory = memory
  }

  get size(): number {
    return this.#size
  }

  async add(batch: readonly Buffer[]): Promise<void> {
    for (const buffer of batch) {
      this.#buffers.push(buffer)
      this.#size += buffer.length
    }
    if (this.#size <= this.#memory) return
    await translated(this.#write(), ofSpool)
  }

  /** Moves everything from memory to the file. */
  async #write(): Promise<void> {
    this.#file ??= await openUnnamed(this.#directory)
    const buffers = this.#buffers
    this.#buffers = []
    await this.#file.appendFile(buffers)
  }

  body(): UploadBody {
    this.#assertOpen()
    const batches = this.#batches()
    return {
      size: this.#size,
      [Symbol.asyncIterator]: () => batches,
      readable: (): Readable => readableOf(batches),
    }
  }

  /** Without its bytes, a body would look like one that has ended early. */
  #assertOpen(): void {
    if (this.#closed) throw new Error('The spool is closed')
  }

  async *#batches(): AsyncGenerator<readonly Buffer[], void, undefined> {
    this.#assertOpen()
    const file = this.#file
    if (file === undefined) {
      if (this.#size > 0) yield this.#buffers
      return
    }
    for (let position = 0; position < this.#size;) {
      this.#assertOpen()
      const length = Math.min(pieceSize, this.#size - position)
      const buffer = Buffer.allocUnsafeSlow(length)
      const reading = file.read(buffer, 0, length, position)
      const { bytesRead } = await translated(reading, ofSpool)
      if (bytesRead === 0) {
        const cause = new Error('The spool file is shorter than before')
        throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
      }
      position += bytesRead
      yield [buffer.subarray(0, bytesRead)]
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#buffers = []
    const file = this.#file
    this.#file = undefined
    // There is nothing in it that has to reach the disk.
    await file?.close().catch(() => {})
  }
}

/** The disk of the spool is full, not the storage. */
const ofSpool = {
  ENOSPC: 'ERR_STORAGE_UNAVAILABLE',
  EDQUOT: 'ERR_STORAGE_UNAVAILABLE',
  EFBIG: 'ERR_STORAGE_UNAVAILABLE',
} as const

/** Opens a new file and removes its name. */
async function openUnnamed(directory: string): Promise<FileHandle> {
  const path = join(directory, `tuskit-spool-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  try {
    await unlink(path)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}
