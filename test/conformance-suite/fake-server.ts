import { setImmediate as turn } from 'node:timers/promises'
import type { StorageFault } from 'tuskit/conformance'

/** A file in memory. Its size counts bytes that nobody wrote, which are zeros. */
interface FakeFile {
  size: number
  readonly pieces: { readonly at: number; readonly bytes: Buffer }[]
}

type Failure = 'ECONNREFUSED' | 'ECONNRESET' | 'ENOENT' | 'EEXIST' | 'EACCES'

export function failure(code: Failure): Error {
  return Object.assign(new Error(code), { code })
}

/** A file server that is not one: files in memory, behind connections that can be cut. */
export class FakeServer {
  readonly #files = new Map<string, FakeFile>()
  readonly #connections = new Set<FakeConnection>()
  #fault: StorageFault | undefined
  /** How many bytes pass before all connections are cut. */
  #left = Infinity
  #resumed: Promise<void> = Promise.resolve()

  get connections(): number {
    return this.#connections.size
  }

  async connect(): Promise<FakeConnection> {
    await turn()
    await this.#resumed
    if (this.#fault === 'down') throw failure('ECONNREFUSED')
    const connection: FakeConnection = new FakeConnection(
      (change) => this.#serve(connection, change),
      () => void this.#connections.delete(connection),
      (bytes) => this.#admit(bytes),
    )
    this.#connections.add(connection)
    return connection
  }

  /** Causes a fault. It begins before this returns. */
  unplug(fault: StorageFault): () => void {
    this.#fault = fault
    let resume = () => {}
    if (fault === 'paused') this.#resumed = new Promise((resolve) => (resume = resolve))
    if (fault === 'down') for (const connection of this.#connections) connection.cut()
    return () => {
      this.#fault = undefined
      resume()
    }
  }

  /** Cuts all connections once, after so many more bytes. */
  cutAfter(bytes: number): () => void {
    this.#left = bytes
    return () => void (this.#left = Infinity)
  }

  /** Returns the bytes that pass. */
  #admit(bytes: Buffer): Buffer {
    const admitted = bytes.subarray(0, this.#left)
    this.#left -= admitted.length
    if (this.#left === 0) {
      this.#left = Infinity
      for (const connection of this.#connections) connection.cut()
    }
    return admitted
  }

  /** Makes a file larger without writing to it. */
  grow(path: string, size: number): void {
    this.#files.get(path)!.size = size
  }

  /** Waits as long as the server does, and returns the files that a command sees. */
  async #serve(connection: FakeConnection, changes: boolean): Promise<Map<string, FakeFile>> {
    await turn()
    await this.#resumed
    if (connection.isCut) throw failure('ECONNRESET')
    if (this.#fault === 'gone') throw failure('ENOENT')
    if (this.#fault === 'refused' && changes) throw failure('EACCES')
    return this.#files
  }
}

/** A connection to the server. Each command is one round trip. */
export class FakeConnection {
  readonly #serve: (changes: boolean) => Promise<Map<string, FakeFile>>
  readonly #closed: () => void
  readonly #admit: (bytes: Buffer) => Buffer
  isCut = false

  constructor(
    serve: (changes: boolean) => Promise<Map<string, FakeFile>>,
    closed: () => void,
    admit: (bytes: Buffer) => Buffer,
  ) {
    this.#serve = serve
    this.#closed = closed
    this.#admit = admit
  }

  /** Closes the connection. Commands that have not been served fail. */
  close(): void {
    this.isCut = true
    this.#closed()
  }

  /** Cuts the connection, as a server that goes down. The client still has to close it. */
  cut(): void {
    this.isCut = true
  }

  /** Looks for the folder of all files. */
  async root(): Promise<void> {
    await this.#serve(false)
  }

  async size(path: string): Promise<number> {
    return fileOf(await this.#serve(false), path).size
  }

  /** Makes an empty file where there is none. */
  async make(path: string): Promise<void> {
    const files = await this.#serve(true)
    if (files.has(path)) throw failure('EEXIST')
    files.set(path, { size: 0, pieces: [] })
  }

  async truncate(path: string): Promise<void> {
    const files = await this.#serve(true)
    fileOf(files, path)
    files.set(path, { size: 0, pieces: [] })
  }

  async write(path: string, at: number, bytes: Buffer): Promise<void> {
    const file = fileOf(await this.#serve(true), path)
    this.#put(file, at, bytes)
  }

  /** Writes at the end of the file, wherever that is. */
  async append(path: string, bytes: Buffer): Promise<void> {
    const file = fileOf(await this.#serve(true), path)
    this.#put(file, file.size, bytes)
  }

  /** Stores the bytes that arrive. Fails if the connection is cut, even if all have arrived. */
  #put(file: FakeFile, at: number, bytes: Buffer): void {
    const arrived = Buffer.from(this.#admit(bytes))
    file.pieces.push({ at, bytes: arrived })
    file.size = Math.max(file.size, at + arrived.length)
    if (this.isCut) throw failure('ECONNRESET')
  }

  async remove(path: string): Promise<void> {
    const files = await this.#serve(true)
    fileOf(files, path)
    files.delete(path)
  }

  /** Returns at most `length` bytes from `at`. */
  async read(path: string, at: number, length: number): Promise<Buffer> {
    const { size, pieces } = fileOf(await this.#serve(false), path)
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - at)))
    for (const piece of pieces) {
      const skipped = Math.max(0, at - piece.at)
      if (skipped < piece.bytes.length && piece.at < at + bytes.length) {
        piece.bytes.subarray(skipped).copy(bytes, Math.max(0, piece.at - at))
      }
    }
    return bytes
  }
}

function fileOf(files: Map<string, FakeFile>, path: string): FakeFile {
  const file = files.get(path)
  if (file === undefined) throw failure('ENOENT')
  return file
}
