import { readdir, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Directory } from '../disk/directory.js'
import { highest, listFolder } from './lock-directory.js'
import { isFull } from '../../store-kit/storage-error.js'
import { unlessMissing } from '../disk/unless-missing.js'

/**
 * The number above which all new acquisitions begin. It is raised before the files of unused locks
 * are removed and replaces them, so that no number is given twice. It is the highest of the names
 * in a directory, so several processes can raise it at once and it never falls.
 */
export class LockFloor {
  readonly #path: string
  readonly #directory: Directory

  constructor(path: string, directory: Directory) {
    this.#path = path
    this.#directory = directory
  }

  async read(): Promise<number> {
    return highest(await listFolder(this.#path, this.#directory))
  }

  async raise(number: number): Promise<void> {
    await this.#directory.createFolder(this.#path)
    await this.#write(number)
    const names = await readdir(this.#path)
    const lower = names.filter((name) => Number(name) < highest(names))
    await Promise.all(lower.map((name) => unlessMissing(unlink(join(this.#path, name)))))
  }

  async #write(number: number): Promise<void> {
    const path = join(this.#path, String(number))
    const { filePermissions: mode } = this.#directory
    try {
      await writeFile(path, '', { mode })
    } catch (error) {
      const before = await this.read()
      if (!isFull(error) || before === 0) throw error
      // A full disk has no space for a file, but can rename one.
      if (before < number) await rename(join(this.#path, String(before)), path)
    }
  }
}
