// A store of one's own: four functions to take uploads, and one more to give them back.
import { Readable } from 'node:stream'
import { createHandler, createServer, StoreComposer, TusError } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'

class MapStore {
  /** Larger uploads are refused before they begin. */
  maximumSize = 100_000_000
  #data = new Map()

  /** Where the data will live. Recorded before anything else happens, so that it can always be found. */
  locate(upload) {
    return { kind: 'map', at: { key: upload.id } }
  }

  /** Makes room. */
  async create(upload, { signal, fence }) {
    mayChange(signal, fence)
    if (this.#data.has(upload.storage.at.key)) throw new TusError('ERR_DATA_EXISTS')
    this.#data.set(upload.storage.at.key, Buffer.alloc(0))
  }

  /** Says what is stored. Never 0 for what is not there. */
  async stat(upload) {
    return { offset: this.#bytesOf(upload).length }
  }

  /** Stores what comes. A client that vanishes is no error: the body just ends early. */
  async append(upload, from, body, { signal, fence, progress }) {
    for await (const batch of body) {
      mayChange(signal, fence)
      const bytes = Buffer.concat([this.#bytesOf(upload), ...batch])
      this.#data.set(upload.storage.at.key, bytes)
      progress(bytes.length)
    }
    signal.throwIfAborted()
    return this.stat(upload)
  }

  /** A slot of its own, for downloads. The ends of the range both count. */
  async read(upload, range = { start: 0, end: Infinity }) {
    const bytes = this.#bytesOf(upload).subarray(range.start, range.end + 1)
    return Readable.from([bytes], { objectMode: false })
  }

  #bytesOf(upload) {
    const bytes = this.#data.get(upload.storage.at.key)
    if (bytes === undefined) throw new TusError('ERR_DATA_MISSING')
    return bytes
  }
}

/** Stands before every change: whoever lost the lock must not write any more. */
function mayChange(signal, fence) {
  signal.throwIfAborted()
  if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
}

const store = new MapStore()
const composer = new StoreComposer().useDataStore(store).useContentReader(store)
new MemoryInfoStore().useIn(composer)

const server = createServer(createHandler({ basePath: '/files', composer }))

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
