import { isTusError, type Json, type StorageRef, type Upload } from 'tuskit'
import type { Bucket, Conditions } from '../bucket/bucket.js'
import { findConditions } from '../bucket/conditional.js'
import type { Multipart, Part } from '../bucket/multipart-uploads.js'
import { planAfter } from '../data/adopted-plan.js'
import { PartPlan, type MultipartSecret } from '../data/part-plan.js'
import { placeAt } from '../data/place.js'
import { bytesOf } from '../data/stored.js'
import { TailObject } from '../data/tail.js'
import { UploadData } from '../data/upload-data.js'
import { openTimeout } from '../open-bucket.js'
import { checkStoreOptions, type S3StoreOptions } from '../s3-store-options.js'
import { settingsFor, type Settings } from '../settings.js'

/** An upload of another server, by the keys of its objects. */
export interface OldObjects {
  readonly id: string
  readonly key: string
  /** The key of its record. */
  readonly info: string
  /** The key of the object with the bytes that fill no part. */
  readonly part: string
  /** The id of its multipart upload. */
  readonly multipart: string | undefined
  readonly length: number | undefined
  /** The most bytes that it can have. */
  readonly maxSize: number | undefined
}

/** The data of an upload of another server. */
export interface FoundObjects {
  readonly storage: StorageRef
  readonly offset: number
  /** When the finished object was stored. Absent if the upload is not finished. */
  readonly finishedAt?: Date
  /** The most bytes that it can have. */
  readonly maxSize?: number | undefined
  /** Stores what a record with this place needs besides the objects that are there. */
  prepare(upload: Upload): Promise<void>
}

/** A record of another server. */
export interface RecordObject {
  readonly text: string
  readonly metadata: Readonly<Record<string, string>>
  readonly modified: Date
}

/**
 * The objects of tusd or `@tus/s3-store` in the bucket of a store that adopts them. An upload has
 * the record `<key>.info`, the finished object `<key>` or a multipart upload, and `<key>.part` with
 * the bytes that fill no part. They stay as they are. The store continues the multipart upload, and
 * gets a copy of those bytes as its tail.
 */
export class AdoptableObjects {
  /** The beginning of the keys of records. */
  readonly prefix: string
  readonly #bucket: Bucket
  readonly #settings: Settings

  private constructor(bucket: Bucket, settings: Settings, prefix: string) {
    this.#bucket = bucket
    this.#settings = settings
    this.prefix = prefix
  }

  /**
   * Opens the bucket of a store.
   *
   * @param options - The options of the store.
   */
  static async open(options: S3StoreOptions, prefix: string): Promise<AdoptableObjects> {
    const checked = checkStoreOptions(options)
    let conditions: Conditions = 'quoted'
    const settings = settingsFor(checked, () => conditions)
    const bucket = settings.bucketOf(checked.bucket)
    const signal = AbortSignal.timeout(openTimeout)
    await bucket.check(signal)
    conditions = await findConditions(bucket, settings.privatePrefix, signal)
    return new AdoptableObjects(bucket.with(conditions), settings, prefix)
  }

  /** Yields the keys that begin with the prefix, ascending. */
  async *keys(signal: AbortSignal): AsyncGenerator<string> {
    for await (const { key } of this.#bucket.list(this.prefix, signal)) yield key
  }

  /** Returns a record, or `undefined` if there is none. Throws an error if it is too long. */
  async read(key: string, longest: number, signal: AbortSignal): Promise<RecordObject | undefined> {
    const head = await this.#bucket.head(key, signal)
    if (head !== undefined && head.size > longest) throw new Error('its record is too long')
    const found = head && (await this.#bucket.read(key, signal))
    return found && { ...found, text: found.bytes.toString() }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#bucket.delete(key, signal)
  }

  /** Looks for the data of an upload. Throws an error with the reason if it cannot be adopted. */
  async find(old: OldObjects, signal: AbortSignal): Promise<FoundObjects> {
    const { key, length } = old
    const bucket = this.#bucket
    const { kind, at } = placeAt(bucket.name, key, this.#settings.privatePrefix)
    const storage = { kind, at: { ...at, info: old.info, part: old.part } }
    const [whole, multipart] = await Promise.all([
      bucket.head(key, signal),
      old.multipart === undefined ? undefined : bucket.multipart.find(key, old.multipart, signal),
    ])
    const parts = multipart && (await bucket.multipart.parts(key, multipart, signal))
    if (multipart === undefined || parts === undefined) {
      if (whole === undefined) throw new Error(`its data is not there: ${key}`)
      if (whole.size !== length) {
        const expected = length ?? 'an unknown number'
        throw new Error(`its object is finished with ${whole.size} bytes instead of ${expected}`)
      }
      const finished = { storage, offset: whole.size, finishedAt: whole.modified }
      return { ...finished, prepare: () => Promise.resolve() }
    }
    if (length === 0) {
      // The other server does without an object.
      const prepare = async (upload: Upload) => {
        if (whole !== undefined) return
        const { parameters } = new UploadData(upload, this.#settings)
        await bucket.put(key, Buffer.alloc(0), signal, parameters, { absent: true })
      }
      return { storage, offset: 0, finishedAt: new Date(), prepare }
    }
    return this.#findParts(old, storage, { multipart, parts }, signal)
  }

  async #findParts(
    { id, part, length, maxSize }: OldObjects,
    { kind, at }: StorageRef,
    { multipart, parts }: { readonly multipart: Multipart; readonly parts: readonly Part[] },
    signal: AbortSignal,
  ): Promise<FoundObjects> {
    const bucket = this.#bucket
    const [rest, tail] = await Promise.all([
      bucket.head(part, signal),
      new TailObject(bucket, at.tail!, id, {}).head(signal),
    ])
    const start = bytesOf(parts)
    const offset = start + (rest?.size ?? 0)
    const missing = parts.findIndex(({ number }, index) => number !== index + 1)
    if (missing >= 0) throw new Error(`its part ${missing + 1} is missing: start that upload again`)
    if (offset > (length ?? Infinity)) {
      throw new Error(`it has ${offset} bytes, more than its length of ${length}`)
    }
    const { profile, partSize, maxSize: limit } = this.#settings
    const sizes = parts.map(({ size }) => size)
    const most = Math.min(maxSize ?? Infinity, limit)
    const stored = { length, limit: most, parts: sizes, rest: offset - start }
    const plan = planAfter(stored, partSize, profile)
    const secret: MultipartSecret = { ...multipart, plan }
    const capacity = new PartPlan(plan, profile).startOf(profile.maxParts)
    return {
      storage: { kind, at, secret: secret as unknown as Json },
      offset,
      maxSize: length === undefined && capacity < most ? capacity : maxSize,
      prepare: async (upload) => {
        const found = rest && (await bucket.read(part, signal))
        if (found?.size !== rest?.size) throw new Error('its data is changing')
        const bytes = found?.bytes ?? Buffer.alloc(0)
        try {
          await new UploadData(upload, this.#settings).tail.write(tail, { start, bytes }, signal)
        } catch (error) {
          if (!isTusError(error, 'ERR_LOCK_LOST')) throw error
          throw new Error(`another upload has its key, ${at.key}, or is getting it`, {
            cause: error,
          })
        }
      },
    }
  }
}
