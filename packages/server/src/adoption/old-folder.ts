import { existsSync, realpathSync } from 'node:fs'
import { lstat, opendir, readFile, rm } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { NotAdoptable, type OldServer, type OldUpload } from './old-upload.js'

/** The longest record that is read. Metadata is limited by the headers of requests. */
const longestRecord = 1_000_000

/** The folders of another server. */
export class OldFolder {
  readonly server: OldServer
  /** The folder of the data. */
  readonly path: string
  readonly #records: string

  constructor(server: OldServer, path: string, records: string) {
    this.server = server
    this.path = realpathSync(path)
    this.#records = realpathSync(records)
  }

  /** Yields the ids of all records. */
  async *ids(): AsyncGenerator<string> {
    const { suffix } = this.server
    for await (const { name, error } of entriesOf(this.#records)) {
      const id = name.slice(0, -suffix.length)
      if (error === undefined && name.endsWith(suffix) && this.hasRecord(id)) yield id
    }
  }

  /** Returns the number of records. */
  async count(signal: AbortSignal): Promise<number> {
    let count = 0
    for await (const _ of this.ids()) {
      signal.throwIfAborted()
      count++
    }
    return count
  }

  /** Returns what a record says. Throws {@link NotAdoptable} if it cannot be used. */
  async read(id: string): Promise<OldUpload> {
    const { text, changedAt } = await this.#readRecord(id)
    const found = { id, folder: this.path }
    const upload = this.server.parse(parseJson(text), found)
    const obstacle = await this.server.obstacle?.(found)
    if (obstacle !== undefined) throw new NotAdoptable(obstacle)
    return { changedAt, ...upload }
  }

  /** Removes the record of an upload that was adopted. */
  async removeRecord(id: string): Promise<void> {
    await rm(this.recordPath(id))
  }

  /** Yields the files that are neither a record nor named after one, and why they are not. */
  async *strays(): AsyncGenerator<{ readonly path: string; readonly reason: string }> {
    for await (const { name, error } of entriesOf(this.path)) {
      if (error !== undefined) yield { path: name, reason: `it cannot be read: ${error}` }
      else if (!this.#isKnown(name)) yield { path: name, reason: 'no record names this file' }
    }
  }

  /**
   * Whether there is a record with that name. A file with such a name that has a record itself is
   * the data of another upload.
   */
  hasRecord(id: string): boolean {
    if (!existsSync(this.recordPath(id))) return false
    return !this.hasDataNextToRecords || !this.hasRecord(`${id}${this.server.suffix}`)
  }

  /** Whether a file, by its whole path, is a record. */
  isRecord(path: string): boolean {
    const { suffix } = this.server
    const name = relative(this.#records, path)
    return name.endsWith(suffix) && this.hasRecord(name.slice(0, -suffix.length))
  }

  get hasDataNextToRecords(): boolean {
    return this.#records === this.path
  }

  recordPath(id: string): string {
    return join(this.#records, `${id}${this.server.suffix}`)
  }

  #isKnown(name: string): boolean {
    const path = join(this.path, name)
    return (
      this.server.isSideFile(name) ||
      this.isRecord(path) ||
      (!this.hasDataNextToRecords && path.startsWith(`${this.#records}${sep}`)) ||
      this.hasRecord(name) ||
      this.hasRecord(basename(name))
    )
  }

  async #readRecord(id: string): Promise<{ readonly text: string; readonly changedAt: Date }> {
    const path = this.recordPath(id)
    const stats = await lstat(path)
    // A pipe would keep its reader waiting.
    if (!stats.isFile()) throw new NotAdoptable('its record is not a file')
    if (stats.size === 0) throw new NotAdoptable('its record is empty')
    if (stats.size > longestRecord) throw new NotAdoptable('its record is too long')
    return { text: await readFile(path, 'utf8'), changedAt: stats.mtime }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NotAdoptable('its record is not JSON', { cause: error })
  }
}

/** A file, or a folder that cannot be read. */
interface Entry {
  readonly name: string
  readonly error?: string
}

/**
 * Yields the paths of all files in a folder and the folders in it. Names that begin with a dot
 * belong to tuskit, not to the other server.
 */
async function* entriesOf(folder: string, within = ''): AsyncGenerator<Entry> {
  try {
    for await (const entry of await opendir(join(folder, within), { bufferSize: 256 })) {
      if (entry.name.startsWith('.')) continue
      const name = join(within, entry.name)
      if (entry.isDirectory()) yield* entriesOf(folder, name)
      else yield { name }
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // Other folders can be read all the same.
    if (within === '' || code === undefined) throw error
    yield { name: within, error: message }
  }
}
