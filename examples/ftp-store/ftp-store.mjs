import { once } from 'node:events'
import { posix } from 'node:path'
import { addAbortSignal, PassThrough, Readable } from 'node:stream'
import { Client } from 'basic-ftp'
import { isTusError, TusError } from 'tuskit'
import * as kit from 'tuskit/store-kit'

/** Bytes of one transfer. An upload needs memory for two of these segments. */
const segmentSize = 4 * 1024 * 1024
/** The file that identifies the folder. No id starts with a dot. */
const marker = '.tuskit'
/** Connections that are kept for later. Servers close them after a while, and so do firewalls. */
const idle = { connections: 4, milliseconds: 20_000 }

/**
 * Keeps uploads in a folder of an FTP server, one file each, named after the id.
 *
 * - The server must support `SIZE`, `APPE`, and `REST` before `STOR` and `RETR`, and keep what has
 *   arrived of a transfer that is cut. For ProFTPD, set `AllowOverwrite` and `AllowStoreRestart`.
 *   It must allow a session for each transfer and each download at a time.
 * - Memory per upload: two segments (8 MiB). A chunk with a checksum beyond 1 MiB goes to a file.
 * - FTP cannot refuse a late write, so the store relies on the lease of the locker alone. Late
 *   bytes land where they belong, but a late first transfer (STOR at 0) can destroy the upload.
 * - Bytes count when the server confirms them. Whether they survive a power failure is up to it.
 * - `place` is refused, because FTP cannot create a file on condition that there is none.
 */
export class FtpStore {
  maxSize = Number.MAX_SAFE_INTEGER
  #options
  /** Connections that are not in use, and since when. */
  #idle = []
  #closed = false

  /**
   * Takes the options of basic-ftp (`host`, `port`, `user`, `password`, `secure: true` for TLS),
   * `folder`, which must exist, and `timeout`, how long the server may be silent (default: 30 s).
   */
  constructor(options) {
    this.#options = options
  }

  /** Fills a slot for each capability. */
  useIn(composer) {
    composer
      .useDataStore(this)
      .useVerifiedAppender(this)
      .useTerminator(this)
      .useConcatenator(this)
      .useContentReader(this)
      .useLifecycle(this)
  }

  /** Marks the folder as the place of uploads. Call it once, when you set up the server. */
  initialize() {
    return this.#use((client) => this.#send(client, 'appendFrom', marker, ''))
  }

  /** Tries the configuration: logs in, looks for the marker, and writes a file in two steps. */
  async open() {
    const name = `${marker}-${crypto.randomUUID()}`
    await this.#use(async (client) => {
      await client.size(this.#path(marker))
      await this.#send(client, 'uploadFrom', name, 'ab')
      await this.#send(client, 'uploadFrom', name, 'c', { position: 1 })
      const size = await client.size(this.#path(name))
      await client.remove(this.#path(name))
      if (size !== 2) throw new Error('The FTP server does not support REST before STOR')
    })
  }

  /** Closes all connections. Those that are in use follow. */
  async close() {
    this.#closed = true
    for (const { client } of this.#idle) client.close()
  }

  locate({ id, place }) {
    if (place !== undefined) throw new TusError('ERR_INVALID_PLACE')
    return { kind: 'ftp', at: { name: id } }
  }

  async create({ storage: { at } }, options) {
    const size = await this.#use((client) => this.#size(client, at.name), options)
    if (size !== undefined) throw new TusError('ERR_DATA_EXISTS')
    // A STOR that the server executes late could empty a file that has bytes by then. APPE cannot.
    const send = (client) => this.#send(client, 'appendFrom', at.name, '', { options })
    await this.#use(send, options)
  }

  async stat({ storage: { at } }, options) {
    const size = await this.#use((client) => this.#size(client, at.name), options)
    if (size === undefined) throw new TusError('ERR_DATA_MISSING')
    return { offset: size }
  }

  async append({ storage: { at } }, { offset }, body, options) {
    for await (const segment of kit.segments(body, { size: segmentSize, signal: options.signal })) {
      const end = offset + segment.length
      // After a cut, only the server knows what has arrived, so each attempt asks it first. Some
      // servers take a cut for the end and confirm it, so the size counts and not the reply.
      await this.#use(async (client) => {
        const position = await this.#size(client, at.name)
        if (position === undefined) throw new TusError('ERR_DATA_MISSING')
        if (position < offset) throw new Error(`Only ${position} of ${offset} bytes are left`)
        if (position >= end) return
        const rest = segment.subarray(position - offset)
        await this.#send(client, 'uploadFrom', at.name, rest, { position, options })
        const size = await client.size(this.#path(at.name))
        if (size < end) throw new Error(`Only ${size} of ${end} bytes have arrived`)
      }, options)
      offset = end
      options.progress(offset)
    }
    return { offset }
  }

  async appendVerified(upload, from, body, accept, options) {
    const chunk = await kit.spool(body, { signal: options.signal })
    try {
      return (await accept()) ? await this.append(upload, from, chunk.body(), options) : from
    } finally {
      await chunk.close()
    }
  }

  async terminate({ storage: { at } }, options) {
    await this.#use(async (client) => {
      if ((await this.#size(client, at.name)) === undefined) return
      kit.assertMayChange(options)
      await client.remove(this.#path(at.name))
    }, options)
  }

  /** Copies the partial uploads through this process, because FTP has no command for that. */
  async concatenate(final, partials, { signal, fence }) {
    const options = { signal, fence, progress() {} }
    const { name } = final.storage.at
    await this.#use((client) => this.#send(client, 'uploadFrom', name, '', { options }), options)
    let end = { offset: 0 }
    for (const partial of partials) {
      const content = await this.read(partial, undefined, options)
      end = await this.append(final, end, batchesOf(content), options)
    }
  }

  async read(upload, range, options) {
    const { offset } = await this.stat(upload, options)
    const { start, end } = range ?? { start: 0, end: upload.length - 1 }
    const over = new AbortController()
    const pieces = this.#pieces(upload.storage.at.name, start, offset, { signal: over.signal })
    return kit.contentStream(pieces, { size: end - start + 1, close: () => over.abort() })
  }

  /** Yields the bytes from a position on. After a cut, it continues on another connection. */
  async *#pieces(name, start, size, options) {
    for (let position = start; position < size;) {
      const content = await this.#use(async (client, keep) => {
        const stream = addAbortSignal(options.signal, new PassThrough())
        const transfer = client.downloadTo(stream, this.#path(name), position)
        transfer.catch((error) => stream.destroy(error))
        await once(stream, 'readable', options)
        if (stream.readableLength === 0) throw new Error('The content has ended early')
        keep(transfer)
        return stream
      }, options)
      let last
      // After a cut, the next turn continues where this one has ended.
      try {
        for await (const piece of content) {
          position += piece.length
          if (position < size) yield piece
          else last = piece
        }
      } catch {}
      // Now the transfer has ended, and its connection can be used again.
      if (last) yield last
    }
  }

  /** Transfers bytes to a position of a file: at 0, `uploadFrom` replaces the file. */
  async #send(client, method, name, bytes, { position = 0, options } = {}) {
    const { prepareTransfer } = client
    client.prepareTransfer = async (ftp) => {
      const reply = await prepareTransfer(ftp)
      if (position > 0) await client.send(`REST ${position}`)
      if (options) kit.assertMayChange(options)
      return reply
    }
    await client[method](Readable.from([bytes], { objectMode: false }), this.#path(name))
    client.prepareTransfer = prepareTransfer
  }

  /** Returns the size of a file, or `undefined` only if there certainly is none. */
  async #size(client, name) {
    try {
      return await client.size(this.#path(name))
    } catch (error) {
      // 550 can mean anything: no such file, no such folder, not allowed.
      if (error.code !== 550 || /denied|permission|allowed/i.test(error.message)) throw error
    }
    await client.size(this.#path(marker))
  }

  #path(name) {
    return posix.join(this.#options.folder, name)
  }

  /** Runs work on a connection, and on a new one if the failure may be temporary. */
  #use(work, { signal } = { signal: new AbortController().signal }) {
    const isWorthIt = ({ code, cause }) =>
      code === 'ERR_STORAGE_UNAVAILABLE' && !(cause?.code >= 500)
    return kit.retry((attempt) => this.#attempt(attempt, work, signal), { signal, isWorthIt })
  }

  async #attempt(attempt, work, signal) {
    const client = (attempt === 1 && this.#takeIdle()) || new Client(this.#options.timeout)
    let transfer = Promise.resolve()
    const run = async () => {
      if (client.closed) await client.access(this.#options)
      return work(client, (continuing) => (transfer = continuing))
    }
    try {
      const result = await kit.unlessAborted(signal, run())
      transfer.then(() => this.#release(client)).catch(() => client.close())
      return result
    } catch (error) {
      client.close()
      signal.throwIfAborted()
      const known = kit.storageError(error, { 452: 'ERR_STORAGE_FULL', 552: 'ERR_STORAGE_FULL' })
      throw isTusError(known) ? known : new TusError('ERR_STORAGE_UNAVAILABLE', { cause: error })
    }
  }

  #takeIdle() {
    for (let one; (one = this.#idle.pop());) {
      if (!one.client.closed && performance.now() - one.since < idle.milliseconds) return one.client
      one.client.close()
    }
  }

  #release(client) {
    if (this.#closed || this.#idle.length >= idle.connections) client.close()
    else this.#idle.push({ client, since: performance.now() })
  }
}

async function* batchesOf(content) {
  for await (const piece of content) yield [piece]
}
