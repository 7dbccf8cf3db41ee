import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { highest, listing, orIfMissing } from './lock-directory.js'
import type { Medium } from './medium.js'

/**
 * The number above which all new acquisitions begin. It is raised before the files of unused locks are removed,
 * and stands for all of them, so that no number is ever given twice. It is the highest of the names in a
 * directory: so it can be raised by several processes at once and never falls.
 */
export class LockFloor {
  readonly #path: string
  readonly #medium: Medium

  constructor(path: string, medium: Medium) {
    this.#path = path
    this.#medium = medium
  }

  async read(): Promise<number> {
    return highest(await this.#medium.take(listing, this.#path).catch(orIfMissing([])))
  }

  async raise(number: number): Promise<void> {
    await mkdir(this.#path, { recursive: true })
    await writeFile(join(this.#path, String(number)), '')
    const names = await readdir(this.#path)
    const lower = names.filter((name) => Number(name) < highest(names))
    await Promise.all(
      lower.map((name) => unlink(join(this.#path, name)).catch(orIfMissing(undefined))),
    )
  }
}
