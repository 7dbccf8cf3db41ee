import { Readable } from 'node:stream'
import { TusError } from 'tuskit'

/** A custom store: four methods to receive uploads, and one for each additional capability. */
export class MapStore {
  /** Larger uploads are refused before they begin. */
  maxSize = 100_000_000
  #data = new Map()

  /** Fills a slot for each capability. An empty slot disables its feature. */
  useIn(composer) {
    composer
      .useDataStore(this)
      .useVerifiedAppender(this)
      .useTerminator(this)
      .useConcatenator(this)
      .useContentReader(this)
  }

  /** Returns where the data will be. It is recorded first, so that the data can always be found. */
  locate({ id, place }) {
    if (place !== undefined) throw new TusError('ERR_INVALID_PLACE')
    return { kind: 'map', at: { key: id } }
  }

  /** Creates the empty data. */
  async create(upload, options) {
    mayChange(options)
    if (this.#data.has(upload.storage.at.key)) throw new TusError('ERR_DATA_EXISTS')
    this.#data.set(upload.storage.at.key, Buffer.alloc(0))
  }

  /** Returns the stored offset. Throws when the data is missing; never returns 0 for it. */
  async stat(upload) {
    return { offset: this.#bytesOf(upload).length }
  }

  /** Stores the body. If the client vanishes, the body just ends early, without an error. */
  async append(upload, from, body, options) {
    for await (const batch of body) this.#add(upload, batch, options)
    options.signal.throwIfAborted()
    return this.stat(upload)
  }

  /** Stores a body with a checksum. No byte counts before `accept` returns true. */
  async appendVerified(upload, from, body, accept, options) {
    const chunk = []
    for await (const batch of body) chunk.push(...batch)
    if (await accept()) this.#add(upload, chunk, options)
    options.signal.throwIfAborted()
    return this.stat(upload)
  }

  /** Removes the data, for DELETE and expiry. Missing data counts as removed. */
  async terminate(upload, options) {
    mayChange(options)
    this.#data.delete(upload.storage.at.key)
  }

  /** Concatenates partial uploads, from the beginning each time. The partial uploads stay. */
  async concatenate(final, partials, options) {
    const bytes = Buffer.concat(partials.map((partial) => this.#bytesOf(partial)))
    mayChange(options)
    this.#data.set(final.storage.at.key, bytes)
  }

  /** Returns the bytes of a download. Both ends of the range are inclusive. */
  async read(upload, { start, end } = { start: 0, end: upload.length - 1 }) {
    const bytes = this.#bytesOf(upload).subarray(start, end + 1)
    if (bytes.length <= end - start) throw new TusError('ERR_DATA_MISSING')
    return Readable.from([bytes], { objectMode: false })
  }

  #add(upload, batch, options) {
    mayChange(options)
    const bytes = Buffer.concat([this.#bytesOf(upload), ...batch])
    this.#data.set(upload.storage.at.key, bytes)
    options.progress(bytes.length)
  }

  #bytesOf(upload) {
    const bytes = this.#data.get(upload.storage.at.key)
    if (bytes === undefined) throw new TusError('ERR_DATA_MISSING')
    return bytes
  }
}

/** Call it before every change: a holder that lost the lock must not write any more. */
function mayChange({ signal, fence }) {
  signal.throwIfAborted()
  if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
}
