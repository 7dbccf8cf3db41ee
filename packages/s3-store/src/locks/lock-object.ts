import { randomUUID } from 'node:crypto'
import { TusError } from 'tuskit'
import type { Bucket, Condition } from '../bucket/bucket.js'

/** The content of the object of a lock. */
export interface LockContent {
  /** The number of the last acquisition. */
  readonly token: number
  /**
   * `abandoned` is free, but an earlier holder never released the lock. `removing`: its object is
   * about to be deleted.
   */
  readonly state: 'held' | 'released' | 'abandoned' | 'removing'
  /** Counts the renewals of this acquisition. */
  readonly beat: number
  /** How many requests for the lock this holder has got, from writers and from readers. */
  readonly writers: number
  readonly readers: number
  /** How many requests of readers the holder has declined. */
  readonly declined: number
}

/** A version of the object of a lock. */
export interface LockVersion extends LockContent {
  readonly etag: string
}

/** Marks each write, so that a process recognises its own. */
const mark = 'tuskit-mark'

/** Reads and replaces the object of a lock. */
export class LockObject {
  readonly #bucket: Bucket
  readonly key: string

  constructor(bucket: Bucket, key: string) {
    this.#bucket = bucket
    this.key = key
  }

  async read(signal: AbortSignal): Promise<LockVersion | undefined> {
    const found = await this.#bucket.read(this.key, signal)
    if (found === undefined) return undefined
    const content = parse(found.bytes.toString(), this.key)
    return { ...content, etag: found.etag }
  }

  /**
   * Replaces a version, or creates the object. Returns nothing if another process has changed it.
   */
  async write(
    before: LockVersion | undefined,
    { token, state, beat, writers, readers, declined }: LockContent,
    signal: AbortSignal,
  ): Promise<LockVersion | undefined> {
    const condition: Condition = before === undefined ? { absent: true } : { etag: before.etag }
    const id = randomUUID()
    // The id is in the content too, because the ETag is made of the content.
    const content = { token, state, beat, writers, readers, declined }
    const body = JSON.stringify({ ...content, id })
    const parameters = { ContentType: 'application/json', Metadata: { [mark]: id } }
    const etag = await this.#bucket.put(this.key, body, signal, parameters, condition)
    if (etag !== undefined) return { ...content, etag }
    // The client may have sent it twice, because the first response was lost.
    const found = await this.#bucket.head(this.key, signal)
    return found?.metadata[mark] === id ? { ...content, etag: found.etag } : undefined
  }

  async delete(signal: AbortSignal): Promise<void> {
    await this.#bucket.delete(this.key, signal)
  }
}

function parse(text: string, key: string): LockContent {
  try {
    const content = JSON.parse(text) as LockContent
    if (Number.isSafeInteger(content.token)) return content
  } catch {
    // Reported below.
  }
  const cause = new Error(`The object ${key} is not a lock`)
  throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
}
