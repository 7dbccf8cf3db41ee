import { mkdir, opendir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { TusError } from '../../errors.js'
import { storageError, type Meanings } from '../../store-kit/storage-error.js'
import { errorCode, isMissing, unlessMissing } from './unless-missing.js'
import type { DirectoryOptions } from './directory-options.js'
import { Disk, type OpenFile } from './disk.js'
import { makeFolders } from './make-folders.js'

/** The number of folders to remember. Templates with times create new ones all the time. */
const mostLasting = 1000

/** The name of the file that identifies a directory. Data, records and locks never have it. */
const markName = '.tuskit'

/**
 * A directory, and how files are created in it.
 *
 * A file in it, the mark, identifies it, because a directory exists even where a disk is not
 * mounted. The mark is checked at the first use, and later only when something is missing or has to
 * be created: a file that is found is proof enough.
 */
export class Directory {
  readonly path: string
  readonly disk = new Disk()
  readonly filePermissions: number
  readonly #mark: string
  readonly #mustExist: boolean
  /** Whether the mark was found or created. */
  #marked = false
  /** Whether bytes count as stored only once they are on the disk. */
  readonly onDisk: boolean
  readonly #directoryPermissions: number
  /** Folders whose names are on the disk, as are those of their parents. */
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
   * Runs an operation on the directory. Failures of the file system become errors with a code: the
   * one in `meanings`, or one that says that the storage is full or unavailable.
   */
  async use<T>(operation: () => Promise<T>, meanings?: Meanings): Promise<T> {
    try {
      if (!this.#marked) await this.#recognise()
      return await operation()
    } catch (cause) {
      if (isMissing(cause)) await this.confirm()
      throw storageError(cause, meanings)
    }
  }

  /**
   * Throws `ERR_STORAGE_UNAVAILABLE` when the directory is not there. Called before anything that
   * reports a missing file or creates one.
   */
  async confirm(): Promise<void> {
    if (this.#marked && !(await this.#isMarked())) throw this.#unavailable()
  }

  /**
   * Throws `ERR_STORAGE_UNAVAILABLE` when a file that was just created or opened is not in the
   * directory. It may be where a disk is not mounted.
   */
  async confirmFile(path: string, file: OpenFile): Promise<void> {
    await this.confirm()
    const [found, created] = [await this.disk.lstat(path), await file.stat()]
    const isThere = found?.ino === created.ino && found.dev === created.dev
    // A file without a name has been removed since.
    if (!isThere && created.nlink > 0) throw this.#unavailable()
  }

  /**
   * Yields the names in the directory. Throws `ERR_STORAGE_UNAVAILABLE` when they end without the
   * mark: then they are those of an empty directory where a disk is not mounted.
   */
  async *names(): AsyncGenerator<string> {
    await this.confirm()
    let isMarked = false
    for await (const { name } of await opendir(this.path, { bufferSize: 256 })) {
      isMarked ||= name === markName
      yield name
    }
    if (!isMarked) throw this.#unavailable()
  }

  /**
   * Returns the result of `look`, or `undefined` when there is nothing in a directory that is
   * there. The directory may have been missing only for the first look, so looks twice.
   */
  async find<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
    const found = await look()
    if (found !== undefined) return found
    await this.confirm()
    return look()
  }

  /** Runs `work` again when something is missing in a directory that is there. */
  async again<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    await this.confirm()
    return work()
  }

  /** Runs a removal. Tries twice when there is nothing, as {@link Directory.find} does. */
  async remove(removal: () => Promise<void>): Promise<void> {
    await this.find(() => unlessMissing(removal().then(() => true)))
  }

  /** Opens an existing file. */
  openFile(path: string, flags: string | number): Promise<OpenFile> {
    return this.again(() => this.disk.open(path, flags))
  }

  async #recognise(): Promise<void> {
    if (!(await this.#isMarked())) await this.#makeMark()
    this.#marked = true
  }

  async #isMarked(): Promise<boolean> {
    try {
      return (await this.disk.lstat(this.#mark)) !== undefined
    } catch (error) {
      throw storageError(error)
    }
  }

  async #makeMark(): Promise<void> {
    if (this.#mustExist) throw this.#unavailable()
    try {
      const file = await this.createFile(this.#mark, 'a')
      await file.close()
      await this.syncName(this.#mark)
    } catch (reason) {
      // The disk may be missing, and its mount point be protected from writing.
      throw this.#unavailable(reason)
    }
  }

  /** @param reason - Why the mark could not be made, if that was tried. */
  #unavailable(reason?: unknown): TusError {
    const message = `${this.path} is not there: it has no file ${markName}`
    const cause = new Error(message, { cause: reason })
    return new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
  }

  /** Opens a file with flags that create it, and makes sure that it is in the directory. */
  async createFile(path: string, flags: string | number): Promise<OpenFile> {
    const file = await this.#create(path, flags)
    try {
      await this.confirmFile(path, file)
    } catch (error) {
      await file.close()
      throw error
    }
    return file
  }

  /**
   * Creates missing parents only when that fails. They, or the file that is in the way, may be
   * where a disk is not mounted, so tries again.
   */
  async #create(path: string, flags: string | number): Promise<OpenFile> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.disk.open(path, flags, this.filePermissions)
      } catch (error) {
        const isTaken = errorCode(error) === 'EEXIST'
        if (attempt === 3 || !(isTaken || isMissing(error))) throw error
        await (isTaken ? this.confirm() : this.createFolder(dirname(path)))
      }
    }
  }

  /** Creates a folder and its parents. */
  async createFolder(path: string): Promise<void> {
    await this.confirm()
    const first = await makeFolders(path, this.#directoryPermissions)
    if (first === undefined) return
    for (let made = path; made !== dirname(first); made = dirname(made)) {
      await this.syncFolder(dirname(made))
    }
  }

  /** Creates a folder in an existing one. */
  async createInnerFolder(path: string): Promise<void> {
    await this.confirm()
    await mkdir(path, { mode: this.#directoryPermissions })
  }

  /**
   * With durability `disk`, waits until the name of a file is on the disk, and so are those of its
   * folders. The process that created them may not have waited for that yet.
   */
  async syncName(path: string): Promise<void> {
    if (!this.onDisk) return
    await this.syncFolder(dirname(path))
    const waiting: string[] = []
    for (let folder = dirname(path); !this.#lasting.has(folder); folder = dirname(folder)) {
      waiting.push(folder)
      // The parent of the directory cannot always be opened.
      const tolerated = folder === this.path ? ['EACCES'] : []
      await this.syncFolder(dirname(folder)).catch((error: unknown) => {
        if (!tolerated.includes(String(errorCode(error)))) throw error
      })
      if (folder === this.path) break
    }
    if (this.#lasting.size > mostLasting) this.#lasting.clear()
    for (const folder of waiting) this.#lasting.add(folder)
  }

  /** With durability `disk`, waits until the names in a folder are on the disk. */
  async syncFolder(path: string): Promise<void> {
    if (!this.onDisk) return
    const folder = await this.openFile(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }

  /** With durability `disk`, waits until the content of a file is on the disk. */
  async sync(file: OpenFile): Promise<void> {
    if (this.onDisk) await file.datasync()
  }
}
