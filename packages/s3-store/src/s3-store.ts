import type { Readable } from 'node:stream'
import {
  metadataOf,
  TusError,
  type AppendOptions,
  type ByteRange,
  type Concatenator,
  type ContentReader,
  type CreateOptions,
  type DataStore,
  type Finisher,
  type Json,
  type Lifecycle,
  type ReadOptions,
  type Stat,
  type StorageRef,
  type StoreComposer,
  type Terminator,
  type UnplacedUpload,
  type Upload,
  type UploadBody,
  type VerifiedAppender,
  type WriteOptions,
} from 'tuskit'
import { assertMayChange, contentStream, spool } from 'tuskit/store-kit'
import type { Conditions } from './bucket/bucket.js'
import { findConditions } from './bucket/conditional.js'
import { completeObject } from './data/completion.js'
import { concatenateObjects } from './data/concatenation.js'
import { LateObjects } from './data/late-objects.js'
import { planParts, type MultipartSecret } from './data/part-plan.js'
import { PartWriter } from './data/part-writer.js'
import { endsWithId, placeAt } from './data/place.js'
import { removeObjects } from './data/removal.js'
import { showing } from './data/showing.js'
import { isS3Stat, storedIn, type S3Stat } from './data/stored.js'
import type { Tail } from './data/tail.js'
import { UploadData } from './data/upload-data.js'
import { openTimeout } from './open-bucket.js'
import { checkStoreOptions, type CheckedOptions, type S3StoreOptions } from './s3-store-options.js'
import { settingsFor, type Settings } from './settings.js'

/**
 * Keeps the bytes of uploads in a bucket of Amazon S3 or a service that speaks its protocol. Any
 * number of processes on any number of machines can use the same bucket.
 *
 * The finished object contains nothing but the file. Until then, the bytes are in the parts of a
 * multipart upload, and those that do not fill a part in an object of their own, the tail. Uploads
 * that fit into one part have only a tail. The offset is computed from the reports of S3 alone.
 *
 * An upload needs memory for `parallel + 1` parts, which is 32 MiB by default, and all of them
 * together `maxMemory`. Chunks with a checksum that are larger than a part wait for its
 * verification in a temporary file, and so do smaller ones when memory is scarce.
 *
 * The store relies on the lease of the locks. Where the service has conditional writes, no process
 * replaces a finished object, or a tail that another one has written since.
 *
 * @example
 * const client = new S3Client({ region: 'eu-central-1' })
 * const composer = new StoreComposer().use(
 *   new S3Store({ client, bucket: 'uploads' }),
 *   new S3InfoStore({ client, bucket: 'uploads' }),
 *   new S3Locker({ client, bucket: 'uploads' }),
 * )
 */
export class S3Store
  implements
    DataStore,
    VerifiedAppender,
    Finisher,
    Terminator,
    Concatenator,
    ContentReader,
    Lifecycle
{
  readonly maxSize: number
  readonly #options: CheckedOptions
  readonly #settings: Settings
  readonly #late: LateObjects
  #conditions: Conditions
  #timer: NodeJS.Timeout | undefined
  /** The states of uploads that were just created, by their place. */
  readonly #created = new WeakMap<object, S3Stat>()

  constructor(options: S3StoreOptions) {
    const checked = checkStoreOptions(options)
    this.#options = checked
    this.#conditions = checked.profile.conditionalWrites ? 'quoted' : 'none'
    this.#settings = settingsFor(checked, () => this.#conditions)
    this.#late = new LateObjects(() => this.#settings.bucketOf(checked.bucket), this.#settings)
    this.maxSize = this.#settings.maxSize
  }

  /** Fills all slots of data stores, and that of lifecycles. */
  useIn(composer: StoreComposer): void {
    composer
      .useDataStore(this)
      .useVerifiedAppender(this)
      .useFinisher(this)
      .useTerminator(this)
      .useConcatenator(this)
      .useContentReader(this)
      .useLifecycle(this)
  }

  /** Checks that the bucket can be used, and whether the service has conditional writes. */
  async open(): Promise<void> {
    const { bucket, profile, locate } = this.#options
    const signal = AbortSignal.timeout(openTimeout)
    const opened = this.#settings.bucketOf(bucket)
    await opened.check(signal)
    if (profile.conditionalWrites) {
      this.#conditions = await findConditions(opened, this.#settings.privatePrefix, signal)
    }
    const prune = () => void this.prune().catch(() => {})
    this.#timer = setInterval(prune, pruneInterval).unref()
    if (this.#conditions !== 'none' || locate === undefined) return
    if (endsWithId(this.locate(sample).at.key!, sample.id)) return
    throw new Error(
      "S3Store: the service ignores conditional writes, so the keys of 'locate' must end with the id",
    )
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
  }

  /**
   * Removes objects that were stored after the removal of their upload, by a process that had lost
   * its lock: once an hour has passed since. Each process does that once an hour.
   */
  async prune(): Promise<void> {
    await this.#late.remove(new AbortController().signal)
  }

  locate(upload: UnplacedUpload): StorageRef {
    const { bucket: usual, locate } = this.#options
    const { id, place } = upload
    let chosen: { readonly bucket?: string; readonly key: unknown } = { key: id }
    if (place !== undefined) {
      const { key, ...others } = place
      if (Object.keys(others).length > 0 || this.#conditions === 'none') {
        throw new TusError('ERR_INVALID_PLACE')
      }
      chosen = { key }
    } else if (locate !== undefined) {
      const located = locate(upload)
      chosen = typeof located === 'string' ? { key: located } : located
    }
    return placeAt(chosen.bucket ?? usual, chosen.key, this.#settings.privatePrefix)
  }

  async create(upload: Upload, options: CreateOptions): Promise<void> {
    const data = this.#dataOf(upload)
    const { signal } = options
    const { partSize, profile } = this.#settings
    const isOwnKey = endsWithId(data.key, upload.id)
    const comesWhole = isOwnKey && options.incoming === 'everything'
    let tail: Tail | undefined
    if (!comesWhole) {
      assertMayChange(options)
      tail = await data.tail.create(signal)
      if (tail === undefined) throw new TusError('ERR_DATA_EXISTS')
      if (!isOwnKey && (await data.bucket.head(data.key, signal)) !== undefined) {
        assertMayChange(options)
        await data.tail.delete(signal)
        throw new TusError('ERR_DATA_EXISTS')
      }
    }
    const isFinal = upload.concat?.kind === 'final'
    if (!isFinal && (upload.length === undefined || upload.length > partSize)) {
      const limit = Math.min(upload.maxSize ?? Infinity, this.maxSize)
      const plan = planParts(upload.length, limit, partSize, profile)
      assertMayChange(options)
      const multipart = await data.bucket.multipart.create(data.key, signal, data.parameters)
      const secret: MultipartSecret = { ...multipart, plan }
      await options.saveSecret(secret as unknown as Json)
    }
    this.#created.set(upload.storage.at, storedIn([], tail))
  }

  stat(upload: Upload, { signal }: ReadOptions): Promise<S3Stat> {
    return this.#dataOf(upload).stat(signal)
  }

  async append(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    options: AppendOptions,
  ): Promise<S3Stat> {
    const data = this.#dataOf(upload)
    const stored = await this.#stored(data, from, options)
    if (stored.whole) return stored
    const write = () => PartWriter.write(data, stored, body, options, this.#settings)
    return showing(data, stored, options, write)
  }

  async appendVerified(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    accept: () => Promise<boolean>,
    options: AppendOptions,
  ): Promise<S3Stat> {
    const data = this.#dataOf(upload)
    const stored = await this.#stored(data, from, options)
    return showing(data, stored, options, async () => {
      const { partSize, memory } = this.#settings
      const size = Math.min(body.size ?? partSize, partSize)
      const free = memory.reserve(size)
      try {
        const chunk = await spool(body, { signal: options.signal, memory: free ? size : 0 })
        try {
          return (await accept())
            ? await this.append(upload, stored, chunk.body(), options)
            : stored
        } finally {
          await chunk.close()
        }
      } finally {
        free?.()
      }
    })
  }

  async finish(upload: Upload, from: Stat, options: WriteOptions): Promise<void> {
    const data = this.#dataOf(upload)
    const stored = await this.#stored(data, from, options)
    if (!stored.whole) await completeObject(data, stored, options)
    if (stored.tail === undefined) return
    assertMayChange(options)
    await data.tail.delete(options.signal)
  }

  async terminate(upload: Upload, options: WriteOptions): Promise<void> {
    // An earlier holder of the lock may still be sending something.
    if (options.fence.forced) await this.#late.note(upload, options)
    await removeObjects(this.#dataOf(upload), options)
  }

  async concatenate(
    final: Upload,
    partials: readonly Upload[],
    options: WriteOptions,
  ): Promise<void> {
    await concatenateObjects(this.#dataOf(final), partials, options, this.#settings)
  }

  async read(
    upload: Upload,
    range: ByteRange | undefined,
    { signal }: ReadOptions,
  ): Promise<Readable | { readonly redirect: string }> {
    const { bucket, key } = this.#dataOf(upload)
    const { redirect } = this.#options
    if (redirect !== undefined) return { redirect: await redirect(bucket.name, key, upload) }
    const found = await bucket.get(key, signal, range)
    if (found === undefined) throw new TusError('ERR_DATA_MISSING')
    const { body } = found
    const size = range === undefined ? (upload.length ?? found.size) : range.end - range.start + 1
    return contentStream(body, { size, close: () => void body.destroy() })
  }

  #dataOf(upload: Upload): UploadData {
    return new UploadData(upload, this.#settings)
  }

  /**
   * Returns `from` as this store returned it, or looks again when the caller knows only the offset.
   */
  async #stored(data: UploadData, from: Stat, options: WriteOptions): Promise<S3Stat> {
    if (isS3Stat(from)) return from
    const { at } = data.upload.storage
    const created = this.#created.get(at)
    this.#created.delete(at)
    if (created !== undefined && from.offset === 0) return created
    const stored = await data.stat(options.signal)
    if (stored.offset !== from.offset) throw new TusError('ERR_OFFSET_MISMATCH')
    return stored
  }
}

/** Milliseconds between two removals of late objects. */
const pruneInterval = 3_600_000

/** Shows whether keys end with the id. */
const sample: UnplacedUpload = {
  id: 'sample',
  revision: 1,
  protocol: 'tus',
  length: 1,
  metadata: metadataOf({ filename: 'a.txt', filetype: 'text/plain' }),
  createdAt: new Date(0).toISOString(),
  finish: 'recorded',
  state: { kind: 'open' },
}
