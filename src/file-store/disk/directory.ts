import { mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { TusError } from '../../errors.js'
import { must } from '../../check-options.js'
import { errorCode, isMissing, diskError, type Meanings } from './disk-error.js'
import { Disk, type OpenFile } from './disk.js'

/** What everything that keeps files is told about the file system. */
export interface DirectoryOptions {
  /**
   * Where the files live. Relative to the working directory at construction; made at first use when missing, with the
   * file `.tuskit` in it, by which it is recognised from then on. While that file is not there (the disk is not mounted,
   * the directory was renamed) every operation rejects with `ERR_STORAGE_UNAVAILABLE` and makes nothing.
   */
  readonly directory: string
  /**
   * Whether the directory must be there already, with the file `.tuskit` in it. Default `false`: at the first use after
   * the start of a process it is made.
   *
   * Say `true` for a directory on a disk that has to be mounted: a server that starts before the disk would make
   * another directory where the disk will be. Make the file once by hand (`touch uploads/.tuskit`), or by a run without
   * this option.
   */
  readonly mustExist?: boolean
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
  mustExist: must.beBoolean,
  durability: must.beOneOf('os', 'disk'),
  filePermissions: bePermissions,
  directoryPermissions: bePermissions,
}

/** Folders that are kept in mind; templates with times make ever new ones. */
const mostLasting = 1000

/** The name of the file by which a directory is recognised. Neither data nor record nor lock has it. */
const markName = '.tuskit'

/**
 * A directory and the way files are made in it.
 *
 * It is recognised by a mark, a file: where a disk is not mounted there is a directory, too. The mark is looked for at
 * the first use, and later only when something is missing or has to be made: a file that is found is proof enough.
 */
export class Directory {
  readonly path: string
  readonly disk = new Disk()
  readonly filePermissions: number
  readonly #mark: string
  readonly #mustExist: boolean
  /** Whether the mark was seen or made. */
  #marked = false
  /** Whether stored means stored on the disk. */
  readonly onDisk: boolean
  readonly #directoryPermissions: number
  /** Folders whose names, and those of the folders that they are in, are on the disk. */
  readonly #lasting = new Set<string>()

  constructor(options: DirectoryOptions) {
    this.path = resolve(options.directory)
    this.onDisk = options.durability === 'disk'
    this.#mark = join(this.path, markName)
    this.#mustExist = options.mustExist ?? false
    this.filePermissions = options.filePermissions ?? 0o666
    this.#directoryPermissions = options.directoryPermissions ?? 0o777
  }

  /**
   * Runs an operation on the directory. Failures of the file system become errors with a code: what `meanings` says, or
   * that the storage is full or unavailable.
   */
  async use<T>(operation: () => Promise<T>, meanings?: Meanings): Promise<T> {
    try {
      if (!this.#marked) await this.#recognise()
      return await operation()
    } catch (cause) {
      if (isMissing(cause)) await this.confirm()
      throw diskError(cause, meanings)
    }
  }

  /**
   * Throws `ERR_STORAGE_UNAVAILABLE` when the directory is not there. Stands before everything that says that a file is
   * missing, or makes one.
   */
  async confirm(): Promise<void> {
    if (this.#marked && !(await this.#isMarked())) throw this.#unavailable()
  }

  async #recognise(): Promise<void> {
    this.#marked = await this.#isMarked()
    if (!this.#marked && this.#mustExist) throw this.#unavailable()
    // What is asked for may be possible where nothing can be written, as on a medium that is full or read-only.
    if (!this.#marked) this.#marked = await this.#makeMark().then(yes, no)
  }

  async #isMarked(): Promise<boolean> {
    try {
      return (await this.disk.lstat(this.#mark)) !== undefined
    } catch (error) {
      throw diskError(error)
    }
  }

  async #makeMark(): Promise<void> {
    const file = await this.createFile(this.#mark, 'a')
    await file.close()
    await this.syncName(this.#mark)
  }

  #unavailable(): TusError {
    const cause = new Error(`${this.path} is not there: no file ${markName} is in it`)
    return new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
  }

  /** Opens a file with flags that create it. Makes missing parents only then, so that usually none is looked for. */
  async createFile(path: string, flags: string | number): Promise<OpenFile> {
    try {
      return await this.disk.open(path, flags, this.filePermissions)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    await this.createFolder(dirname(path))
    return this.disk.open(path, flags, this.filePermissions)
  }

  /** Makes a folder, and those that it is in. */
  async createFolder(path: string): Promise<void> {
    await this.confirm()
    const first = await mkdir(path, { recursive: true, mode: this.#directoryPermissions })
    if (first === undefined) return
    for (let made = path; made !== dirname(first); made = dirname(made)) {
      await this.syncFolder(dirname(made))
    }
  }

  /** Makes a folder in one that is there. */
  async createInnerFolder(path: string): Promise<void> {
    await this.confirm()
    await mkdir(path, { mode: this.#directoryPermissions })
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
    const folder = await this.disk.open(path, 'r')
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

const yes = () => true
const no = () => false
