import { existsSync, realpathSync } from 'node:fs'
import { lstat, opendir, readFile, rm } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { adoptFile } from './adopt-file.js'
import type { NewHome } from './new-home.js'
import type { Adopted, OldSource, Stray } from './old-source.js'
import { NotAdoptable, type OldFile, type OldServer } from './old-upload.js'
import { longestRecord, parseRecord } from './parse-content.js'

/** Where an {@link OldFolder} is, and how it is adopted. */
export interface FolderOptions {
  /** The folder of the data. */
  readonly path: string
  /** The folder of the records. */
  readonly records: string
  /** The folder of the data store. It contains all files that can be adopted. */
  readonly root: string
  /** Whether files that are longer than the old record says are cut. */
  readonly mayCut: boolean
}

/** The folders of another server. */
export class OldFolder implements OldSource<OldFile> {
  readonly entry = 'file'
  readonly term = 'path'
  readonly atOnce = 1
  readonly server: OldServer
  readonly path: string
  readonly root: string
  readonly mayCut: boolean
  readonly #records: string

  constructor(server: OldServer, { path, records, root, mayCut }: FolderOptions) {
    this.server = server
    this.path = realpathSync(path)
    this.root = root
    this.mayCut = mayCut
    this.#records = realpathSync(records)
  }

  async *names(): AsyncGenerator<string> {
    const { suffix } = this.server
    for await (const { name, error } of entriesOf(this.#records)) {
      const id = name.slice(0, -suffix.length)
      if (error === undefined && name.endsWith(suffix) && this.hasRecord(id)) yield id
    }
  }

  async count(signal: AbortSignal): Promise<number> {
    let count = 0
    for await (const _ of this.names()) {
      signal.throwIfAborted()
      count++
    }
    return count
  }

  placeOf(id: string): string {
    return this.inStore(this.#recordPath(id))
  }

  async read(id: string): Promise<OldFile> {
    const { text, changedAt } = await this.#readRecord(id)
    const found = { id, folder: this.path }
    const upload = this.server.parse(parseRecord(text), found)
    const obstacle = await this.server.obstacle?.(found)
    if (obstacle !== undefined) throw new NotAdoptable(obstacle)
    return { changedAt, ...upload }
  }

  adopt(old: OldFile, home: NewHome): Promise<Adopted> {
    return adoptFile(old, this, home)
  }

  async removeRecord(id: string): Promise<void> {
    await rm(this.#recordPath(id))
  }

  async *strays(): AsyncGenerator<Stray> {
    for await (const { name, error } of entriesOf(this.path)) {
      const place = this.inStore(join(this.path, name))
      if (error !== undefined) yield { name, place, reason: `it cannot be read: ${error}` }
      else if (!this.#isKnown(name)) yield { name, place, reason: 'no record names this file' }
    }
  }

  /**
   * Whether there is a record with that name. A file with such a name that has a record itself is
   * the data of another upload.
   */
  hasRecord(id: string): boolean {
    if (!existsSync(this.#recordPath(id))) return false
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

  /** Returns the place of a file, as the data store would name it. */
  inStore(path: string): string {
    return relative(this.root, path)
  }

  #recordPath(id: string): string {
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
    const path = this.#recordPath(id)
    const stats = await lstat(path)
    // A pipe would keep its reader waiting.
    if (!stats.isFile()) throw new NotAdoptable('its record is not a file')
    if (stats.size > longestRecord) throw new NotAdoptable('its record is too long')
    return { text: await readFile(path, 'utf8'), changedAt: stats.mtime }
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
