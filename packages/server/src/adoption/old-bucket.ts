import { setMaxListeners } from 'node:events'
import type { AdoptableBucket, FoundData } from '../parts/plugin.js'
import { adoptObject } from './adopt-object.js'
import type { NewHome } from './new-home.js'
import type { Adopted, OldSource, Stray } from './old-source.js'
import { NotAdoptable, type OldObject, type OldServer } from './old-upload.js'
import { longestRecord, parseRecord } from './parse-content.js'

/** The ends of the keys of records, and of objects with the bytes that fill no part. */
const [infoSuffix, partSuffix] = ['.info', '.part']

/** The bucket of another server. Names are keys without the prefix of its records. */
export class OldBucket implements OldSource<OldObject> {
  readonly entry = 'object'
  readonly term = 'key'
  /** Most of the time, each waits for the service. */
  readonly atOnce = 8
  readonly #parse: NonNullable<OldServer['parseObject']>
  readonly #bucket: AdoptableBucket
  readonly #signal: AbortSignal
  /** The names that end as those of records do, without that end. */
  readonly #infos = new Set<string>()

  static async open(
    parse: NonNullable<OldServer['parseObject']>,
    bucket: AdoptableBucket,
    signal: AbortSignal,
  ): Promise<OldBucket> {
    // Each request listens to it.
    setMaxListeners(0, signal)
    const opened = new OldBucket(parse, bucket, signal)
    for await (const name of opened.#names()) {
      if (name.endsWith(infoSuffix)) opened.#infos.add(name.slice(0, -infoSuffix.length))
    }
    return opened
  }

  private constructor(
    parse: NonNullable<OldServer['parseObject']>,
    bucket: AdoptableBucket,
    signal: AbortSignal,
  ) {
    this.#parse = parse
    this.#bucket = bucket
    this.#signal = signal
  }

  count(): Promise<number> {
    return Promise.resolve([...this.names()].length)
  }

  *names(): Generator<string> {
    for (const name of this.#infos) if (this.#hasRecord(name)) yield name
  }

  placeOf(name: string): string {
    return this.#bucket.prefix + name + infoSuffix
  }

  async read(name: string): Promise<OldObject> {
    const record = await this.#bucket.read(this.placeOf(name), longestRecord, this.#signal)
    if (record === undefined) throw new NotAdoptable('its record is not there any more')
    const { text, metadata, modified } = record
    const found = { name, key: this.#bucket.prefix + name, metadata }
    const described = this.#parse(parseRecord(text), found)
    const objects = { info: this.placeOf(name), part: this.#partOf(name) }
    return { changedAt: modified, ...described, ...objects }
  }

  /** Looks for the data of an upload. Throws the reason if it cannot be adopted. */
  find(old: OldObject, maxSize: number | undefined): Promise<FoundData> {
    return this.#bucket.find({ ...old, length: old.length, maxSize }, this.#signal)
  }

  adopt(old: OldObject, home: NewHome): Promise<Adopted> {
    return adoptObject(old, this, home)
  }

  /** Also removes the bytes that the data store has a copy of. */
  async removeRecord(name: string): Promise<void> {
    for (const key of [this.#partOf(name), this.placeOf(name)]) {
      await this.#bucket.delete(key, this.#signal)
    }
  }

  async *strays(): AsyncGenerator<Stray> {
    for await (const name of this.#names()) {
      if (this.#isKnown(name)) continue
      yield { name, place: this.#bucket.prefix + name, reason: 'no record names this object' }
    }
  }

  /** Yields all names. Those that begin with a dot belong to tuskit, not to the other server. */
  async *#names(): AsyncGenerator<string> {
    const { prefix } = this.#bucket
    for await (const key of this.#bucket.keys(this.#signal)) {
      const name = key.slice(prefix.length)
      if (!/(^|\/)\./.test(name)) yield name
    }
  }

  /**
   * Whether there is a record with that name. An object with such a key that has a record itself is
   * the data of another upload.
   */
  #hasRecord(name: string): boolean {
    return this.#infos.has(name) && !this.#hasRecord(name + infoSuffix)
  }

  #isKnown(name: string): boolean {
    const isOf = (suffix: string) =>
      name.endsWith(suffix) && this.#hasRecord(name.slice(0, -suffix.length))
    return this.#hasRecord(name) || isOf(infoSuffix) || isOf(partSuffix)
  }

  #partOf(name: string): string {
    return this.#bucket.prefix + name + partSuffix
  }
}
