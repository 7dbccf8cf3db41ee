import { Readable } from 'node:stream'
import type { Concatenator } from '../capabilities/concatenator.js'
import type { ByteRange, ContentReader } from '../capabilities/content-reader.js'
import type { DataStore, Stat } from '../capabilities/data-store.js'
import type {
  AppendOptions,
  CreateOptions,
  ReadOptions,
  WriteOptions,
} from '../capabilities/call-options.js'
import type { Terminator } from '../capabilities/terminator.js'
import { unlessAborted } from '../unless-aborted.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import type { VerifiedAppender } from '../capabilities/verified-appender.js'
import { TusError } from '../errors.js'
import { checkOptions, must } from '../check-options.js'
import type { StoreComposer } from '../store-composer.js'
import { assertMayChange } from '../store-kit/assert-may-change.js'
import { eachBatch } from '../store-kit/each-batch.js'
import type { StorageRef, UnplacedUpload, Upload } from '../upload.js'

/** Options of {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /**
   * The maximum number of bytes of one upload.
   *
   * @default Infinity
   */
  readonly maxSize?: number
}

/** The stored bytes of one upload. Chunks never change, so they can be shared. */
interface Content {
  readonly chunks: Buffer[]
  size: number
  /** The highest token that changed this content; lower ones are refused. */
  token: number
}

/**
 * Keeps the bytes of uploads in memory, for tests and demonstrations. They are lost when the
 * process ends. It has every capability of a data store, and refuses the tokens of earlier holders.
 *
 * A `preCreate` hook places an upload with `{ key }`, any text. By default, the key is the id.
 */
export class MemoryStore
  implements DataStore, VerifiedAppender, Terminator, Concatenator, ContentReader
{
  readonly maxSize: number
  readonly #contents = new Map<string, Content>()

  constructor(options: MemoryStoreOptions = {}) {
    const { maxSize } = checkOptions('MemoryStore', options, {
      maxSize: must.beBytesOrInfinity,
    })
    this.maxSize = maxSize ?? Infinity
  }

  /** Fills the slots for data, verified chunks, termination, concatenation and downloads. */
  useIn(composer: StoreComposer): void {
    composer
      .useDataStore(this)
      .useVerifiedAppender(this)
      .useTerminator(this)
      .useConcatenator(this)
      .useContentReader(this)
  }

  locate({ id, place = { key: id } }: UnplacedUpload): StorageRef {
    if (Object.keys(place).join() !== 'key') throw new TusError('ERR_INVALID_PLACE')
    return { kind: 'memory', at: { ...place } }
  }

  async create(upload: Upload, options: CreateOptions): Promise<void> {
    const content = { chunks: [], size: 0, token: 0 }
    assertCurrent(content, options)
    const key = keyOf(upload)
    if (this.#contents.has(key)) throw new TusError('ERR_DATA_EXISTS')
    this.#contents.set(key, content)
  }

  async stat(upload: Upload, { signal }: ReadOptions): Promise<Stat> {
    signal.throwIfAborted()
    return { offset: this.#contentOf(upload).size }
  }

  async append(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    options: AppendOptions,
  ): Promise<Stat> {
    options.signal.throwIfAborted()
    const content = this.#contentOf(upload, from)
    await eachBatch(body, options, async (batch) => {
      assertCurrent(content, options)
      add(content, [Buffer.concat(batch)])
      options.progress(content.size)
    })
    return { offset: content.size }
  }

  async appendVerified(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    accept: () => Promise<boolean>,
    options: AppendOptions,
  ): Promise<Stat> {
    options.signal.throwIfAborted()
    const content = this.#contentOf(upload, from)
    const chunks: Buffer[] = []
    await eachBatch(body, options, async (batch) => void chunks.push(Buffer.concat(batch)))
    if (!(await unlessAborted(options.signal, accept()))) return from
    assertCurrent(content, options)
    add(content, chunks)
    options.progress(content.size)
    return { offset: content.size }
  }

  async terminate(upload: Upload, options: WriteOptions): Promise<void> {
    const content = this.#contents.get(keyOf(upload))
    if (content === undefined) return
    assertCurrent(content, options)
    this.#contents.delete(keyOf(upload))
  }

  async concatenate(
    final: Upload,
    partials: readonly Upload[],
    options: WriteOptions,
  ): Promise<void> {
    const chunks = partials.flatMap((partial) => this.#contentOf(partial).chunks)
    const content = this.#contentOf(final)
    assertCurrent(content, options)
    content.chunks.length = 0
    content.size = 0
    add(content, chunks)
  }

  async read(
    upload: Upload,
    range: ByteRange | undefined,
    { signal }: ReadOptions,
  ): Promise<Readable> {
    signal.throwIfAborted()
    const { chunks, size } = this.#contentOf(upload)
    const { start, end } = range ?? { start: 0, end: (upload.length ?? size) - 1 }
    if (end >= size) throw new TusError('ERR_DATA_MISSING')
    return Readable.from(slice(chunks, start, end + 1), { objectMode: false })
  }

  #contentOf(upload: Upload, from?: Stat): Content {
    const content = this.#contents.get(keyOf(upload))
    if (content === undefined) throw new TusError('ERR_DATA_MISSING')
    if (from !== undefined && from.offset !== content.size) {
      throw new TusError('ERR_OFFSET_MISMATCH')
    }
    return content
  }
}

function keyOf({ storage }: Upload): string {
  const { key } = storage.at
  // Recorded by another store: nothing is known about the data.
  if (key === undefined) throw new TusError('ERR_INVALID_PLACE')
  return key
}

/**
 * Throws when the caller has lost the lock, or a later holder has written. Called before every
 * change.
 */
function assertCurrent(content: Content, options: WriteOptions): void {
  assertMayChange(options)
  const { token } = options.fence
  if (token < content.token) throw new TusError('ERR_LOCK_LOST')
  content.token = token
}

function add(content: Content, chunks: readonly Buffer[]): void {
  for (const chunk of chunks) {
    content.chunks.push(chunk)
    content.size += chunk.length
  }
}

function* slice(chunks: readonly Buffer[], start: number, end: number): Generator<Buffer> {
  let position = 0
  for (const chunk of chunks) {
    if (position >= end) return
    const piece = chunk.subarray(Math.max(0, start - position), end - position)
    if (piece.length > 0) yield piece
    position += chunk.length
  }
}
