import { isTusError, type Upload, type WriteOptions } from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import type { Bucket } from '../bucket/bucket.js'
import type { Settings } from '../settings.js'
import { endsWithId } from './place.js'
import { TailObject } from './tail.js'
import { createdMark, mark } from './upload-data.js'

/**
 * Milliseconds after which no request can be carried out that was sent before. S3 refuses
 * signatures that are older than 15 minutes.
 */
const tooLate = 3_600_000

/** Where the objects of a removed upload could be. */
interface Removed {
  readonly id: string
  readonly createdAt: string
  readonly bucket: string
  readonly key: string
  readonly tail: string
}

/**
 * Objects that come after their upload was removed: a process that lost its lock was still sending
 * them. No record names them, so the removal leaves a note, and they are looked for an hour later.
 */
export class LateObjects {
  readonly #bucket: () => Bucket
  readonly #settings: Settings
  readonly #prefix: string

  constructor(bucket: () => Bucket, settings: Settings) {
    this.#bucket = bucket
    this.#settings = settings
    this.#prefix = `${settings.privatePrefix}removed/`
  }

  /** Leaves a note of an upload that is about to be removed, unless the storage is full. */
  async note({ id, createdAt, storage }: Upload, options: WriteOptions): Promise<void> {
    const { bucket, key, tail } = storage.at
    const removed: Removed = { id, createdAt, bucket: bucket!, key: key!, tail: tail! }
    assertMayChange(options)
    try {
      await this.#bucket().put(this.#prefix + id, JSON.stringify(removed), options.signal)
    } catch (error) {
      // The removal is what makes space.
      if (!isTusError(error, 'ERR_STORAGE_FULL')) throw error
    }
  }

  /**
   * Removes what has come late, and the notes that are old enough. A note that cannot be followed
   * does not affect the others. Then it rejects in the end.
   */
  async remove(signal: AbortSignal): Promise<void> {
    const now = Date.now()
    let failure: { readonly error: unknown } | undefined
    for await (const { key, modified } of this.#bucket().list(this.#prefix, signal)) {
      if (now - +modified < tooLate) continue
      await this.#follow(key, signal).catch((error: unknown) => (failure ??= { error }))
    }
    if (failure !== undefined) throw failure.error
  }

  async #follow(key: string, signal: AbortSignal): Promise<void> {
    const note = await this.#bucket().read(key, signal)
    if (note === undefined) return
    await this.#removeObjects(JSON.parse(note.bytes.toString()) as Removed, signal)
    await this.#bucket().delete(key, signal)
  }

  async #removeObjects({ id, createdAt, key, ...place }: Removed, signal: AbortSignal) {
    const bucket = this.#settings.bucketOf(place.bucket)
    // Another upload with the same id may be in progress by now.
    const tail = await new TailObject(bucket, place.tail, id, {}).head(signal)
    // Any other key may be that of another upload.
    if (tail === undefined && endsWithId(key, id)) {
      for (const multipart of await bucket.multipart.idsOf(key, signal)) {
        await bucket.multipart.abort(key, multipart, signal)
      }
    }
    const { metadata } = (await bucket.head(key, signal)) ?? {}
    const isLate = metadata?.[mark] === id && metadata[createdMark] === createdAt
    if (isLate) await bucket.delete(key, signal)
  }
}
