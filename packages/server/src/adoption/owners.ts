import { basename, relative, sep } from 'node:path'
import { NotAdoptable } from './old-upload.js'
import type { OldFolder } from './old-folder.js'

/** Which upload has which file, so that no two have the same one. */
export class Owners {
  readonly #old: OldFolder
  /** Ids by path, without those of files that are named after their upload. */
  readonly #ids = new Map<string, string>()

  constructor(old: OldFolder) {
    this.#old = old
  }

  /** Notes that a file is the data of an upload. Throws if it is that of another one. */
  claim(path: string, id: string): void {
    if (basename(path) === id) return
    const sibling = relative(this.#old.path, path).split(sep).join('/')
    const owner = this.#ids.get(path) ?? (this.#old.hasRecord(sibling) ? sibling : id)
    if (owner !== id) throw new NotAdoptable(`its data is that of another upload, ${owner}`)
    this.#ids.set(path, id)
  }

  has(path: string): boolean {
    return this.#ids.has(path)
  }
}
