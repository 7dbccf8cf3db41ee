import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { must } from '../options.js'
import { errorCode } from './medium-error.js'
import { Medium, type OpenFile } from './medium.js'

/** What everything that keeps files is told about the file system. */
export interface DirectoryOptions {
  /** Where the files live. Relative to the working directory at construction; made at first use when missing. */
  readonly directory: string
  /**
   * When stored means stored. Default `os`.
   *
   * - `os`: the operating system has it. Survives a crash of the process, also `kill -9`; a power failure may
   *   lose what was stored in the last seconds.
   * - `disk`: the disk has it; every write waits for the medium, and so do every new name in a directory, every
   *   question for an offset and every record that is read. Chunks and small files came to half of their throughput on a disk
   *   that takes a quarter of a millisecond for that (docs/performance.md).
   */
  readonly durability?: 'os' | 'disk'
  /** Mode of new files, narrowed by the umask of the process. Default `0o666`. */
  readonly filePermissions?: number
  /** Mode of new directories, narrowed by the umask of the process. Default `0o777`. */
  readonly directoryPermissions?: number
}

const bePermissions = {
  expectation: 'a file mode such as 0o640, at most 0o7777',
  accepts: (v: unknown) => Number.isInteger(v) && (v as number) >= 0 && (v as number) <= 0o7777,
}

/** The rules of {@link DirectoryOptions}. */
export const directoryRules = {
  directory: { ...must.beText, required: true },
  durability: must.beOneOf('os', 'disk'),
  filePermissions: bePermissions,
  directoryPermissions: bePermissions,
}

/** Folders that are kept in mind; templates with times make ever new ones. */
const mostLasting = 1000

/** A directory and the way files are made in it. */
export class Directory {
  readonly path: string
  readonly medium = new Medium()
  /** Whether stored means stored on the disk. */
  readonly onDisk: boolean
  readonly #filePermissions: number
  readonly #directoryPermissions: number
  /** Folders whose names, and those of the folders that they are in, are on the disk. */
  readonly #lasting = new Set<string>()

  constructor(options: DirectoryOptions) {
    this.path = resolve(options.directory)
    this.onDisk = options.durability === 'disk'
    this.#filePermissions = options.filePermissions ?? 0o666
    this.#directoryPermissions = options.directoryPermissions ?? 0o777
  }

  /** Opens a file with flags that create it. Makes missing parents only then, so that usually none is looked for. */
  async createFile(path: string, flags: string | number): Promise<OpenFile> {
    try {
      return await this.medium.open(path, flags, this.#filePermissions)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
    await this.createFolder(dirname(path))
    return this.medium.open(path, flags, this.#filePermissions)
  }

  async createFolder(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true, mode: this.#directoryPermissions })
    if (first === undefined) return
    for (let made = path; made !== dirname(first); made = dirname(made)) {
      await this.syncFolder(dirname(made))
    }
  }

  /**
   * Under `disk`: waits until the name of a file is on the disk, and so are those of the folders that it is in: whoever
   * made them may not have waited for that yet.
   */
  async syncName(path: string): Promise<void> {
    if (!this.onDisk) return
    await this.syncFolder(dirname(path))
    const waiting: string[] = []
    for (let folder = dirname(path); !this.#lasting.has(folder); folder = dirname(folder)) {
      waiting.push(folder)
      // What is around the directory is not always ours to open.
      const tolerated = folder === this.path ? ['EACCES'] : []
      await this.syncFolder(dirname(folder)).catch((error: unknown) => {
        if (!tolerated.includes(String(errorCode(error)))) throw error
      })
      if (folder === this.path) break
    }
    if (this.#lasting.size > mostLasting) this.#lasting.clear()
    for (const folder of waiting) this.#lasting.add(folder)
  }

  /** Under `disk`: waits until the names in a folder are on the disk. */
  async syncFolder(path: string): Promise<void> {
    if (!this.onDisk) return
    const folder = await this.medium.open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  /** Under `disk`: waits until the content of a file is on the disk. */
  async sync(file: OpenFile): Promise<void> {
    if (this.onDisk) await file.datasync()
  }
}
