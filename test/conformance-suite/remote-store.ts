import { Readable } from 'node:stream'
import {
  TusError,
  type AppendOptions,
  type ByteRange,
  type Concatenator,
  type ContentReader,
  type CreateOptions,
  type DataStore,
  type Lifecycle,
  type ReadOptions,
  type Stat,
  type Terminator,
  type UnplacedUpload,
  type Upload,
  type UploadBody,
  type VerifiedAppender,
  type WriteOptions,
} from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import type { FakeConnection, FakeServer } from './fake-server.js'
import { noAbort } from '../support/stages.js'
import { bodyOf, gathered } from './broken.js'

const pieceSize = 256 * 1024

/** A sound store on a fake server, from which broken ones are made. */
export class RemoteStore
  implements DataStore, VerifiedAppender, Terminator, Concatenator, ContentReader, Lifecycle
{
  readonly maxSize = Infinity
  readonly server: FakeServer

  constructor(server: FakeServer) {
    this.server = server
  }

  async open(): Promise<void> {
    await this.connected(noAbort.signal, (connection) => connection.root())
  }

  async close(): Promise<void> {}

  locate({ id, place }: UnplacedUpload) {
    const { path, ...unknown } = place ?? { path: id }
    if (Object.keys(unknown).length > 0) throw new TusError('ERR_INVALID_PLACE')
    const isSafe = path !== undefined && !path.startsWith('/') && !path.includes('..')
    if (!isSafe) throw new TusError('ERR_INVALID_PLACE')
    return { kind: 'remote', at: { path } }
  }

  async create(upload: Upload, options: CreateOptions): Promise<void> {
    await this.connected(options.signal, async (connection) => {
      assertMayChange(options)
      await connection.make(pathOf(upload))
    })
  }

  async stat(upload: Upload, { signal }: ReadOptions): Promise<Stat> {
    return this.connected(signal, async (connection) => ({
      offset: await connection.size(pathOf(upload)),
    }))
  }

  async append(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    options: AppendOptions,
  ): Promise<Stat> {
    assertMayChange(options)
    return this.connected(options.signal, async (connection) => {
      let { offset } = from
      for await (const batch of body) {
        const bytes = Buffer.concat(batch)
        assertMayChange(options)
        await connection.write(pathOf(upload), offset, bytes)
        offset += bytes.length
        options.progress(offset)
      }
      options.signal.throwIfAborted()
      return { offset }
    })
  }

  async appendVerified(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    accept: () => Promise<boolean>,
    options: AppendOptions,
  ): Promise<Stat> {
    assertMayChange(options)
    const chunk = await gathered(body)
    options.signal.throwIfAborted()
    return (await accept()) ? this.append(upload, from, bodyOf(chunk), options) : from
  }

  async terminate(upload: Upload, options: WriteOptions): Promise<void> {
    const removing = this.connected(options.signal, async (connection) => {
      assertMayChange(options)
      await connection.remove(pathOf(upload))
    })
    await removing.catch((error: unknown) => {
      if ((error as TusError).code !== 'ERR_DATA_MISSING') throw error
    })
  }

  async concatenate(final: Upload, partials: readonly Upload[], options: WriteOptions) {
    await this.connected(options.signal, async (connection) => {
      let at = 0
      assertMayChange(options)
      await connection.truncate(pathOf(final))
      for (const partial of partials) {
        const size = await connection.size(pathOf(partial))
        for (let from = 0; from < size; from += pieceSize) {
          const bytes = await connection.read(pathOf(partial), from, pieceSize)
          assertMayChange(options)
          await connection.write(pathOf(final), at, bytes)
          at += bytes.length
        }
      }
    })
  }

  async read(upload: Upload, range: ByteRange | undefined, { signal }: ReadOptions) {
    const path = pathOf(upload)
    const size = await this.connected(signal, (connection) => connection.size(path))
    const end = range ? range.end + 1 : (upload.length ?? size)
    const connection = await this.server.connect()
    async function* pieces() {
      let at = range?.start ?? 0
      while (at < end) {
        const bytes = await connection.read(path, at, Math.min(pieceSize, end - at))
        if (bytes.length === 0) throw new Error('The file has become shorter')
        yield bytes
        at += bytes.length
      }
    }
    return streamOf(connection, pieces())
  }

  /** Works with a connection, which is closed afterwards, and as soon as the signal aborts. */
  async connected<T>(
    signal: AbortSignal,
    work: (connection: FakeConnection) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted()
    let abort = () => {}
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason as Error)
    })
    aborted.catch(() => {})
    signal.addEventListener('abort', abort)
    const connecting = this.server.connect()
    try {
      return await Promise.race([aborted, connecting.then(work)])
    } catch (error) {
      throw signal.aborted ? signal.reason : await this.translated(error)
    } finally {
      signal.removeEventListener('abort', abort)
      connecting.then((connection) => connection.close()).catch(() => {})
    }
  }

  /** Finds out whether one file is missing or all are. */
  async translated(cause: unknown): Promise<unknown> {
    const code = (cause as { code?: unknown }).code
    if (code === 'EEXIST') return new TusError('ERR_DATA_EXISTS', { cause })
    if (code === 'ENOENT' && (await this.hasRoot())) {
      return new TusError('ERR_DATA_MISSING', { cause })
    }
    const isOfServer = typeof code === 'string' && /^E[A-Z]+$/.test(code)
    return isOfServer ? new TusError('ERR_STORAGE_UNAVAILABLE', { cause }) : cause
  }

  private async hasRoot(): Promise<boolean> {
    const connection = await this.server.connect().catch(() => undefined)
    const found = await connection?.root().then(
      () => true,
      () => false,
    )
    connection?.close()
    return found === true
  }
}

/** A stream that closes its connection. */
export function streamOf(connection: FakeConnection, pieces: AsyncGenerator<Buffer>): Readable {
  return new Readable({
    read() {
      pieces.next().then(
        ({ value, done }) => this.push(done ? null : value),
        (error: unknown) => this.destroy(error as Error),
      )
    },
    destroy(error, callback) {
      connection.close()
      callback(error)
    },
  })
}

export function pathOf({ storage }: Upload): string {
  return storage.at.path!
}
