import { existsSync, realpathSync } from 'node:fs'
import { lstat, opendir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
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
    for await (const name of filesIn(this.#records)) {
      const id = name.slice(0, -suffix.length)
      if (name.endsWith(suffix) && this.hasRecord(id)) yield id
    }
  }

  /** Returns the number of records. */
  async count(): Promise<number> {
    let count = 0
    for await (const _ of this.ids()) count++
    return count
  }

  /** Returns what a record says. Throws {@link NotAdoptable} if it cannot be used. */
  async read(id: string): Promise<OldUpload> {
    const { text, changedAt } = await this.#readRecord(id)
    const found = { id, folder: this.path }
    const upload = this.server.parse(parseJson(text), found)
    const obstacle = await this.server.obstacle?.(found)
    if (obstacle !== undefined) throw new NotAdoptable(obstacle)
    return { createdAt: changedAt, ...upload }
  }

  /** Yields the files that are neither a record nor named after one. */
  async *strays(): AsyncGenerator<string> {
    for await (const name of filesIn(this.path)) {
      const isKnown =
        this.server.isSideFile(name) ||
        this.#isRecord(name) ||
        this.hasRecord(name) ||
        this.hasRecord(basename(name))
      if (!isKnown) yield name
    }
  }

  /**
   * Whether there is a record with that name. A file with such a name that has a record itself is
   * the data of another upload.
   */
  hasRecord(id: string): boolean {
    const name = `${id}${this.server.suffix}`
    if (!existsSync(join(this.#records, name))) return false
    return this.#records !== this.path || !this.hasRecord(name)
  }

  #isRecord(name: string): boolean {
    const { suffix } = this.server
    if (this.#records !== this.path || !name.endsWith(suffix)) return false
    return this.hasRecord(name.slice(0, -suffix.length))
  }

  async #readRecord(id: string): Promise<{ readonly text: string; readonly changedAt: Date }> {
    const path = join(this.#records, `${id}${this.server.suffix}`)
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

/**
 * Yields the paths of all files in a folder and the folders in it. Names that begin with a dot
 * belong to tuskit, not to the other server.
 */
async function* filesIn(folder: string, within = ''): AsyncGenerator<string> {
  for await (const entry of await opendir(join(folder, within), { bufferSize: 256 })) {
    if (entry.name.startsWith('.')) continue
    const name = join(within, entry.name)
    if (entry.isDirectory()) yield* filesIn(folder, name)
    else yield name
  }
}
