import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  isUploadId,
  parseUpload,
  serializeUpload,
  TusError,
  type ChangeOptions,
  type ExpiryIndex,
  type InfoLister,
  type InfoStore,
  type Lifecycle,
  type ListOptions,
  type ReadOptions,
  type StoreComposer,
  type Upload,
} from 'tuskit'
import { checkOptions, must, unlessAborted } from 'tuskit/store-kit'
import { Bucket } from './bucket/bucket.js'
import { openBucket } from './open-bucket.js'
import { Recent } from './recent.js'
import { sharedRules, type S3PartOptions } from './shared-options.js'

/** Options of {@link S3InfoStore}. */
export interface S3InfoStoreOptions extends S3PartOptions {
  /**
   * The beginning of the keys of records. The rest is the id.
   *
   * @default '.tuskit/records/'
   */
  readonly prefix?: string
}

/** A stored record, and the ETag of the object that has it. */
interface Version {
  readonly revision: number
  readonly etag: string
}

/** Marks each write, so that a process recognises its own. */
const mark = 'tuskit-mark'

/** Marks what is left of a record until its object is deleted. */
const removal = 'tuskit-removal'

/** Milliseconds after which the process that deletes a record does not do so any more. */
const removalTime = 2_000

/** How many versions are remembered, so that a change of a record need not read it first. */
const mostVersions = 10_000

/** How many records are read at the same time when expired ones are searched. */
const readsAtOnce = 8

/**
 * Keeps the records of uploads as objects of a bucket, one for each upload. Changes depend on what
 * is stored (`If-None-Match`, `If-Match`), so the service must have conditional writes. Without
 * them, `open` fails.
 *
 * Expired records are found by listing all of them. Those that have not changed since the last time
 * are not read again; for that, each process remembers the expiry of each record.
 */
export class S3InfoStore implements InfoStore, ExpiryIndex, InfoLister, Lifecycle {
  #bucket: Bucket
  readonly #prefix: string
  readonly #versions = new Recent<Version>(mostVersions)
  /** When records expire, by the ETags that they had when all were listed. */
  #expiries: ReadonlyMap<string, number> = new Map()

  constructor(options: S3InfoStoreOptions) {
    const rules = { ...sharedRules, prefix: must.beText }
    const checked = checkOptions<S3InfoStoreOptions>('S3InfoStore', options, rules)
    this.#bucket = new Bucket(checked.client, checked.bucket)
    this.#prefix = checked.prefix ?? '.tuskit/records/'
  }

  /** Fills the slots for records, their expiry, their list and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this).useLifecycle(this)
  }

  /** Checks that the bucket can be used and that the service has conditional writes. */
  async open(): Promise<void> {
    this.#bucket = await openBucket('S3InfoStore', this.#bucket, this.#prefix)
  }

  async close(): Promise<void> {}

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const record = serializeUpload(upload)
    if (await this.#put(upload, record, signal)) return
    const removed = await this.#outwaitRemoval(upload.id, signal)
    if (removed === undefined) throw new TusError('ERR_ID_TAKEN')
    if (!(await this.#put(upload, record, signal, removed.etag))) {
      throw new TusError('ERR_ID_TAKEN')
    }
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    const found = await this.#read(id, signal)
    if (found === undefined) return undefined
    const upload = parseUpload(found.record)
    this.#remember(upload, found.etag)
    return upload
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const record = serializeUpload(upload)
    const { id, revision } = upload
    const known = this.#versions.get(id)
    if (known?.revision === revision - 1) {
      if (await this.#put(upload, record, signal, known.etag)) return
    }
    const found = await this.#read(id, signal)
    const stored = found && parseUpload(found.record)
    if (found === undefined || stored?.revision !== revision - 1) {
      throw new TusError('ERR_INFO_CONFLICT')
    }
    if (await this.#put(upload, record, signal, found.etag)) return
    throw new TusError('ERR_INFO_CONFLICT')
  }

  /**
   * Replaces the record before the object is deleted, which depends on nothing: an update that is
   * in progress would bring it back.
   */
  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    const key = this.#keyOf(id)
    let etag = this.#versions.get(id)?.etag
    this.#versions.delete(id)
    for (;;) {
      etag ??= (await this.#bucket.head(key, signal))?.etag
      // Only this request can distinguish a missing object from a missing bucket.
      if (etag === undefined) return this.#bucket.delete(key, signal)
      const sentAt = performance.now()
      const mark = randomUUID()
      const parameters = { Metadata: { [removal]: mark } }
      if (await this.#bucket.put(key, mark, signal, parameters, { etag })) {
        // After that time, the id can be used again, and this request would delete its record.
        const left = removalTime / 2 - (performance.now() - sentAt)
        if (left <= 0) throw new TusError('ERR_STORAGE_UNAVAILABLE')
        const deleting = this.#bucket.delete(key, AbortSignal.timeout(Math.ceil(left)))
        return await unlessAborted(signal, deleting)
      }
      etag = undefined
    }
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    const before = this.#expiries
    const after = new Map<string, number>()
    let reading: Promise<{ readonly id: string; readonly expiresAt: number }>[] = []
    const settle = async () => {
      const ids = (await Promise.all(reading)).filter(({ expiresAt }) => expiresAt <= +now)
      reading = []
      return ids.map(({ id }) => id)
    }
    for await (const { id, etag } of this.#list(signal)) {
      const version = `${id} ${etag}`
      const look = async () => {
        const expiresAt = before.get(version) ?? (await this.#expiryOf(id, signal))
        // One that cannot be read is looked at again each time.
        if (expiresAt !== -Infinity) after.set(version, expiresAt)
        return { id, expiresAt }
      }
      const looking = look()
      // It may fail while the list is still being read.
      looking.catch(() => {})
      reading.push(looking)
      if (reading.length === readsAtOnce) yield* await settle()
    }
    yield* await settle()
    this.#expiries = after
  }

  async *ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    for await (const { id } of this.#list(signal, after)) yield id
  }

  async *#list(signal: AbortSignal, after?: string): AsyncGenerator<{ id: string; etag: string }> {
    const start = after === undefined ? undefined : this.#prefix + after
    for await (const { key, etag } of this.#bucket.list(this.#prefix, signal, start)) {
      const id = key.slice(this.#prefix.length)
      if (isUploadId(id)) yield { id, etag }
    }
  }

  /** Returns the time of expiry in milliseconds: `-Infinity` if the record cannot be read. */
  async #expiryOf(id: string, signal: AbortSignal): Promise<number> {
    const found = await this.#bucket.read(this.#keyOf(id), signal)
    if (found === undefined) return Infinity
    // The process that deleted the record has died before it could delete the object.
    if (found.metadata[removal] !== undefined) {
      await this.delete(id, { signal })
      return Infinity
    }
    try {
      const { expiresAt } = parseUpload(found.bytes.toString())
      return expiresAt === undefined ? Infinity : Date.parse(expiresAt)
    } catch {
      return -Infinity
    }
  }

  /**
   * Waits until what is left of a record is deleted, or will not be. Returns its ETag in that case,
   * and nothing if there is a record. Without either, returns no ETag.
   */
  async #outwaitRemoval(
    id: string,
    signal: AbortSignal,
  ): Promise<{ readonly etag?: string } | undefined> {
    let last: { readonly etag: string; readonly since: number } | undefined
    for (;;) {
      const found = await this.#bucket.head(this.#keyOf(id), signal)
      if (found === undefined) return {}
      const { etag, metadata } = found
      if (metadata[removal] === undefined) return undefined
      if (last?.etag !== etag) last = { etag, since: performance.now() }
      if (performance.now() - last.since > removalTime) return { etag }
      await sleep(removalTime / 30, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }

  async #read(
    id: string,
    signal: AbortSignal,
  ): Promise<
    { readonly record: string; readonly etag: string; readonly mark?: string } | undefined
  > {
    const found = await this.#bucket.read(this.#keyOf(id), signal)
    if (found === undefined || found.metadata[removal] !== undefined) return undefined
    const { bytes, etag, metadata } = found
    return { record: bytes.toString(), etag, ...(metadata[mark] && { mark: metadata[mark] }) }
  }

  /**
   * Stores a record where there is none, or in place of the one with this ETag. Returns whether
   * that was so.
   */
  async #put(
    upload: Upload,
    record: string,
    signal: AbortSignal,
    before?: string,
  ): Promise<boolean> {
    this.#versions.delete(upload.id)
    const condition = before === undefined ? { absent: true as const } : { etag: before }
    const Metadata = { [mark]: randomUUID() }
    const parameters = { ContentType: 'application/json', Metadata }
    const key = this.#keyOf(upload.id)
    const etag = await this.#bucket.put(key, record, signal, parameters, condition)
    if (etag !== undefined) {
      this.#remember(upload, etag)
      return true
    }
    // The client may have sent it twice, because the first response was lost.
    const found = await this.#read(upload.id, signal)
    if (found?.mark !== Metadata[mark]) return false
    this.#remember(upload, found!.etag)
    return true
  }

  #remember({ id, revision }: Upload, etag: string): void {
    this.#versions.set(id, { revision, etag })
  }

  #keyOf(id: string): string {
    if (!isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
    return this.#prefix + id
  }
}
