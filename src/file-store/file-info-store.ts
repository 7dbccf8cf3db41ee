import { constants } from 'node:fs'
import { unlink } from 'node:fs/promises'
import type { ExpiryIndex } from '../capabilities/expiry-index.js'
import type { InfoLister, ListOptions } from '../capabilities/info-lister.js'
import type { InfoStore } from '../capabilities/info-store.js'
import type { ChangeOptions, ReadOptions } from '../capabilities/call-options.js'
import { cooperative } from '../cooperative.js'
import { isTusError, TusError } from '../errors.js'
import { checkOptions } from '../check-options.js'
import { parseUpload } from '../parse-upload.js'
import type { StoreComposer } from '../store-composer.js'
import { storageError } from '../store-kit/storage-error.js'
import { isUploadId } from '../upload.js'
import type { Upload } from '../upload.js'
import { Directory } from './disk/directory.js'
import { directoryRules, type DirectoryOptions } from './disk/directory-options.js'
import {
  addState,
  forAppending,
  isSame,
  readLog,
  readRecord,
  versionOf,
} from './records/info-file.js'
import type { Added, Addition, Version } from './records/info-file.js'
import { errorCode, isMissing, unlessMissing } from './disk/unless-missing.js'
import type { OpenFile } from './disk/disk.js'

/** Options of {@link FileInfoStore}. */
export type FileInfoStoreOptions = DirectoryOptions

/** A record in one version of its file. */
interface KnownRecord {
  readonly version: Version
  /**
   * As it was read, or the JSON that was written. Never the caller's object, which might change.
   */
  readonly record: Upload | string
}

/** The expiry of a record in some version of its file: a time in milliseconds, or `Infinity`. */
interface KnownExpiry {
  readonly version: Version
  readonly expiresAt: number
}

/** The number of records to keep in memory. */
const cacheSize = 1000

/**
 * Keeps the record of each upload in a file, `.<id>.info`. The directory can be that of the data,
 * because names of data never begin with a dot.
 *
 * A file is a log of lines. A change appends one line with the changed members. A line that was cut
 * off (by a crash or a full disk) does not count. Of concurrent changes, from any process, the one
 * written first counts. This needs a file system with atomic appending, as every local one has. On
 * NFS, only the locks order changes.
 *
 * A file that cannot be read never counts as missing and is never removed: `get` rejects, with
 * `ERR_INFO_CORRUPT` when a line has changed since it was written, or no line is complete. A crash
 * or power failure during a creation leaves a file without a complete line, and `create` can take
 * its id again.
 *
 * The last 1,000 records that were read or written stay in memory, and are used as long as their
 * file has not changed.
 */
export class FileInfoStore implements InfoStore, ExpiryIndex, InfoLister {
  readonly #directory: Directory
  readonly #known = new Map<string, KnownRecord>()
  #expiries: ReadonlyMap<string, KnownExpiry> = new Map()

  constructor(options: FileInfoStoreOptions) {
    this.#directory = new Directory(checkOptions('FileInfoStore', options, directoryRules))
  }

  /** Fills the slots for records, expiration and listing. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this)
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    signal.throwIfAborted()
    const path = this.#pathOf(upload.id)
    await this.#directory.use(async () => {
      await this.#directory.confirm()
      const { file, isNew } = await this.#openLog(path)
      try {
        if (!isNew) await this.#directory.confirmFile(path, file)
        // Before the record exists, so that the name of a record that is found is on the disk.
        await this.#directory.syncName(path)
        const seen = isNew ? Buffer.alloc(0) : await readLog(file)
        signal.throwIfAborted()
        const addition = { upload, seen, after: undefined, conflict: 'ERR_ID_TAKEN' } as const
        this.#keepAdded(upload.id, await addState(file, this.#directory, addition))
      } catch (error) {
        // The lock keeps other creations of this id away, so this file belongs to this call.
        if (isNew && !isTusError(error, 'ERR_ID_TAKEN')) await unlessMissing(unlink(path))
        throw error
      } finally {
        await file.close()
      }
    })
  }

  async get(id: string): Promise<Upload | undefined> {
    return this.#directory.use(() => this.#directory.find(() => this.#read(id)))
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    await this.#directory.use(async () => {
      const conflict = 'ERR_INFO_CONFLICT'
      const path = this.#pathOf(upload.id)
      const file = await this.#directory.find(() =>
        unlessMissing(this.#directory.disk.open(path, forAppending)),
      )
      if (file === undefined) throw new TusError(conflict)
      try {
        const seen = await readLog(file)
        signal.throwIfAborted()
        const addition = { upload, seen, after: upload.revision - 1, conflict }
        this.#keepAdded(upload.id, await addState(file, this.#directory, addition as Addition))
      } finally {
        await file.close()
      }
    })
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    signal.throwIfAborted()
    const path = this.#pathOf(id)
    await this.#directory.use(async () => {
      await this.#directory.remove(() => unlink(path))
      await unlessMissing(this.#directory.syncFolder(this.#directory.path))
      await this.#directory.confirm()
    })
  }

  /**
   * Reads the records that have changed since the last call, and checks only the state of the other
   * files. Records that cannot be read are yielded each time, so that the caller can find out why.
   */
  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    const expiries = new Map<string, KnownExpiry>()
    for await (const id of this.#scan(signal)) {
      const known = await this.#directory
        .find(() => this.#expiryOf(id))
        .catch(async () => {
          // Not one record, but all of them, when the disk is not mounted any more.
          await this.#directory.confirm()
          return 'unreadable' as const
        })
      if (known === undefined) continue
      if (known !== 'unreadable') expiries.set(id, known)
      if (known === 'unreadable' || known.expiresAt <= now.getTime()) yield id
    }
    this.#expiries = expiries
  }

  async *ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    const ids: string[] = []
    for await (const id of this.#scan(signal)) {
      if (after === undefined || id > after) ids.push(id)
    }
    for (const id of ids.sort()) {
      signal.throwIfAborted()
      yield id
    }
  }

  async #read(id: string): Promise<Upload | undefined> {
    const path = this.#pathOf(id)
    const found = await this.#directory.disk.stat(path)
    const known = this.#known.get(id)
    this.#known.delete(id)
    if (found === undefined) return undefined
    const version = versionOf(found)
    const isKnown = known && isSame(version, known.version)
    const record = isKnown ? known.record : await readRecord(path, id, this.#directory, true)
    const upload = typeof record === 'string' ? parseUpload(record) : record
    if (upload !== undefined) this.#keep(id, { version, record: upload })
    return upload
  }

  async #expiryOf(id: string): Promise<KnownExpiry | undefined> {
    const path = this.#pathOf(id)
    const found = await this.#directory.disk.stat(path)
    if (found === undefined) return undefined
    const version = versionOf(found)
    const known = this.#expiries.get(id)
    if (known !== undefined && isSame(known.version, version)) return known
    const record = await readRecord(path, id, this.#directory, false)
    if (record === undefined) return undefined
    const { expiresAt } = record
    return { version, expiresAt: expiresAt === undefined ? Infinity : Date.parse(expiresAt) }
  }

  #keepAdded(id: string, added: Added | undefined): void {
    this.#known.delete(id)
    if (added !== undefined) this.#keep(id, { version: added.version, record: added.json })
  }

  /** Remembers a version of a log as the most recently used. */
  #keep(id: string, known: KnownRecord): void {
    this.#known.set(id, known)
    if (this.#known.size <= cacheSize) return
    const [oldest] = this.#known.keys()
    this.#known.delete(oldest!)
  }

  #pathOf(id: string): string {
    if (!isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
    return `${this.#directory.path}/.${id}.info`
  }

  /** Opens the log of a new record, or the one that a crash during a creation left. */
  async #openLog(path: string): Promise<{ file: OpenFile; isNew: boolean }> {
    const flags = forAppending | constants.O_CREAT | constants.O_EXCL
    for (let attempt = 1; ; attempt++) {
      try {
        return { file: await this.#directory.createFile(path, flags), isNew: true }
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error
      }
      try {
        return { file: await this.#directory.disk.open(path, forAppending), isNew: false }
      } catch (error) {
        // It has been removed in the meantime, unless it is a link to nowhere.
        if (!isMissing(error) || attempt === 3) throw error
      }
    }
  }

  async *#scan(signal: AbortSignal): AsyncGenerator<string> {
    await this.#directory.use(async () => {})
    try {
      for await (const name of cooperative(this.#directory.names())) {
        signal.throwIfAborted()
        const id = name.slice(1, -'.info'.length)
        if (name === `.${id}.info` && isUploadId(id)) yield id
      }
    } catch (error) {
      throw storageError(error)
    }
  }
}
