import { TusError, type Upload } from 'tuskit'
import type { Bucket, Condition, ObjectHead, ObjectParameters } from '../bucket/bucket.js'
import type { Multipart } from '../bucket/multipart-uploads.js'
import { multipartSecret, PartPlan } from './part-plan.js'
import { bytesOf, countedParts, storedIn, type S3Stat } from './stored.js'
import { TailObject } from './tail.js'
import type { Settings } from '../settings.js'
import { objectParameters, privateParameters } from './object-parameters.js'

/**
 * Marks the object of an upload, so that an object of others under its key is not taken for it. An
 * upload that another server has created has no mark, as its object may be finished already.
 */
export const mark = 'tuskit-id'

/** Says of which upload an object is, if the same id was used more than once. */
export const createdMark = 'tuskit-created'

/**
 * The objects of one upload: the finished object under its own key, and until it is finished the
 * tail and, if its bytes may not fit into one part, the parts of a multipart upload.
 */
export class UploadData {
  readonly upload: Upload
  readonly bucket: Bucket
  readonly key: string
  readonly tail: TailObject
  /** Absent if all bytes fit into one part. */
  readonly multipart: Multipart | undefined
  readonly plan: PartPlan
  /** The objects of the server that has created the upload, if it was adopted. */
  readonly leftovers: readonly string[]
  readonly #settings: Settings

  constructor(upload: Upload, settings: Settings) {
    const { bucket, key, tail, part, info } = upload.storage.at
    const secret = multipartSecret(upload.storage.secret)
    const whole = { size: Math.max(upload.length ?? 1, 1) }
    this.upload = upload
    this.bucket = settings.bucketOf(bucket!)
    this.key = key!
    this.multipart = secret
    this.plan = new PartPlan(secret?.plan ?? whole, settings.profile)
    this.leftovers = [part, info].filter((name) => name !== undefined)
    const parameters = privateParameters(settings.parametersOf(upload))
    this.tail = new TailObject(this.bucket, tail!, upload.id, parameters)
    this.#settings = settings
  }

  /** Whether another server has created the upload. */
  get isAdopted(): boolean {
    return this.leftovers.length > 0
  }

  /** The parameters of the finished object. */
  get parameters(): ObjectParameters {
    const given = this.#settings.parametersOf(this.upload)
    const { Metadata, ...parameters } = objectParameters(this.upload, given)
    const { id, createdAt } = this.upload
    const marks = { [mark]: id, [createdMark]: createdAt }
    return { ...parameters, Metadata: { ...Metadata, ...marks } }
  }

  /** Returns what is stored. Rejects with `ERR_DATA_MISSING` if there is nothing. */
  async stat(signal: AbortSignal): Promise<S3Stat> {
    if (this.upload.state.kind === 'finished') return this.#statObject(signal)
    return this.multipart === undefined
      ? this.#statSmall(signal)
      : this.#statParts(this.multipart, signal)
  }

  /** Returns the object under its own key, if it is that of this upload. */
  async whole(signal: AbortSignal): Promise<S3Stat | undefined> {
    const found = await this.bucket.head(this.key, signal)
    if (!this.#isOwn(found)) return undefined
    return { offset: found.size, whole: true, parts: [], tail: undefined }
  }

  /**
   * Stores the object with all bytes of the upload. It is never replaced, so a request that an
   * earlier holder of the lock has sent does no harm when it comes late.
   */
  async putWhole(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const put = (condition: Condition) =>
      this.bucket.put(this.key, bytes, signal, this.parameters, condition)
    if ((await put({ absent: true })) !== undefined) return
    const found = await this.bucket.head(this.key, signal)
    if (!this.#isOwn(found)) throw new TusError('ERR_DATA_EXISTS')
    const isStored = found.metadata[createdMark] === this.upload.createdAt
    if (isStored && found.size === bytes.length) return
    // An earlier upload with the same id has left it.
    if ((await put({ etag: found.etag })) === undefined) throw new TusError('ERR_LOCK_LOST')
  }

  /** Returns the bytes of the tail that are in no part yet. */
  async restOf({ parts, tail, offset }: S3Stat, signal: AbortSignal): Promise<Buffer> {
    const end = bytesOf(parts)
    if (tail === undefined || offset === end) return Buffer.alloc(0)
    return (await this.tail.read(tail, signal)).subarray(end - tail.start)
  }

  async #statSmall(signal: AbortSignal): Promise<S3Stat> {
    const [whole, tail] = await Promise.all([this.whole(signal), this.tail.head(signal)])
    if (whole !== undefined) return { ...whole, tail }
    // The object may have been stored, and then the tail deleted, since the first look.
    return tail === undefined ? this.#statObject(signal) : storedIn([], tail)
  }

  async #statParts(multipart: Multipart, signal: AbortSignal): Promise<S3Stat> {
    const list = () => this.bucket.multipart.parts(this.key, multipart, signal)
    const [listed, tail] = await Promise.all([list(), this.tail.head(signal)])
    // Without a tail the upload may be finished since the first look: the tail is deleted last.
    const parts = listed !== undefined && tail === undefined ? await list() : listed
    if (parts === undefined) {
      const whole = await this.#statObject(signal)
      return { ...whole, tail }
    }
    return storedIn(countedParts(parts, this.plan, this.upload.length), tail)
  }

  async #statObject(signal: AbortSignal): Promise<S3Stat> {
    const whole = await this.whole(signal)
    if (whole !== undefined) return whole
    // Only this request can distinguish a missing object from a missing bucket.
    const found = await this.bucket.get(this.key, signal)
    found?.body.destroy()
    if (!this.#isOwn(found)) throw new TusError('ERR_DATA_MISSING')
    return { offset: found.size, whole: true, parts: [], tail: undefined }
  }

  #isOwn(found: ObjectHead | undefined): found is ObjectHead {
    const { id, length } = this.upload
    if (found === undefined) return false
    return found.metadata[mark] === id || (this.isAdopted && found.size === length)
  }
}
