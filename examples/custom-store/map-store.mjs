import { Readable } from 'node:stream'
import { TusError } from 'tuskit'

/** A store of one's own: four functions to take uploads, and one for each thing more that it can do. */
export class MapStore {
  /** Larger uploads are refused before they begin. */
  maxSize = 100_000_000
  #data = new Map()

  /** Fills a slot for each capability. What is not filled is not offered. */
  useIn(composer) {
    composer
      .useDataStore(this)
      .useVerifiedAppender(this)
      .useTerminator(this)
      .useConcatenator(this)
      .useContentReader(this)
  }

  /** Where the data will live. Recorded before anything else happens, so that it can always be found. */
  locate({ id, place }) {
    if (place !== undefined) throw new TusError('ERR_INVALID_PLACE')
    return { kind: 'map', at: { key: id } }
  }

  /** Makes room. */
  async create(upload, options) {
    mayChange(options)
    if (this.#data.has(upload.storage.at.key)) throw new TusError('ERR_DATA_EXISTS')
    this.#data.set(upload.storage.at.key, Buffer.alloc(0))
  }

  /** Says what is stored. Never 0 for what is not there. */
  async stat(upload) {
    return { offset: this.#bytesOf(upload).length }
  }

  /** Stores what comes. A client that vanishes is no error: the body just ends early. */
  async append(upload, from, body, options) {
    for await (const batch of body) this.#add(upload, batch, options)
    options.signal.throwIfAborted()
    return this.stat(upload)
  }

  /** Checksums: nothing counts before `accept` said yes. */
  async appendVerified(upload, from, body, accept, options) {
    const chunk = []
    for await (const batch of body) chunk.push(...batch)
    if (await accept()) this.#add(upload, chunk, options)
    options.signal.throwIfAborted()
    return this.stat(upload)
  }

  /** Deletion and expiry. What is not there has been removed. */
  async terminate(upload, options) {
    mayChange(options)
    this.#data.delete(upload.storage.at.key)
  }

  /** Concatenation: from zero each time, and the partial uploads stay. */
  async concatenate(final, partials, options) {
    const bytes = Buffer.concat(partials.map((partial) => this.#bytesOf(partial)))
    mayChange(options)
    this.#data.set(final.storage.at.key, bytes)
  }

  /** Downloads. The ends of the range both count. */
  async read(upload, range = { start: 0, end: Infinity }) {
    const bytes = this.#bytesOf(upload).subarray(range.start, range.end + 1)
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

/** Stands before every change: whoever lost the lock must not write any more. */
function mayChange({ signal, fence }) {
  signal.throwIfAborted()
  if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
}
