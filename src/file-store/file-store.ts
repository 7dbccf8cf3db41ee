import { constants } from 'node:fs'
import { rm, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import type { Concatenator } from '../capabilities/concatenator.js'
import type { ByteRange, ContentReader } from '../capabilities/content-reader.js'
import type { DataStore, Stat } from '../capabilities/data-store.js'
import type {
  AppendOptions,
  CreateOptions,
  ReadOptions,
  WriteOptions,
} from '../capabilities/call-options.js'
import type { Terminator } from '../capabilities/terminator.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import type { VerifiedAppender } from '../capabilities/verified-appender.js'
import { TusError } from '../errors.js'
import { checkOptions, must } from '../check-options.js'
import type { StoreComposer } from '../store-composer.js'
import { assertMayChange } from '../store-kit/assert-may-change.js'
import { eachBatch } from '../store-kit/each-batch.js'
import type { Meanings } from '../store-kit/storage-error.js'
import type { StorageRef, UnplacedUpload, Upload } from '../upload.js'
import { DataFile, isFileStat, type FileStat } from './data/data-file.js'
import { Directory } from './disk/directory.js'
import { directoryRules, type DirectoryOptions } from './disk/directory-options.js'
import { streamFile } from './data/file-content.js'
import { unlessMissing } from './disk/unless-missing.js'
import { MtimeFinisher } from './data/mtime-finisher.js'
import { checkPlace, pathLocator, pathOfPlace, type LocatePath } from './data/place.js'
import { joinPieces, moveOver, scratchPath, withScratch } from './data/replacement.js'
import type { Piece } from './data/replacement.js'
import { storedSize } from './data/stored-size.js'
import { markerPath, VerifiedMarker } from './data/verified-marker.js'

/** Options of {@link FileStore}. */
export interface FileStoreOptions extends DirectoryOptions {
  /**
   * The path of an upload's data, relative to the directory: a template with `{id}` and, from the
   * time of creation in UTC, `{year}`, `{month}`, `{day}`, `{hour}` and `{minute}`, or a function
   * that always returns the same path for the same upload.
   *
   * Folders are created as needed and never removed. A path is refused with `ERR_INVALID_PLACE` if
   * it is empty, leaves the directory, contains a backslash or a NUL, or has a name that begins
   * with a dot or is longer than 240 bytes.
   *
   * @default '{id}'
   *
   * @example
   * new FileStore({ directory: './uploads', locate: '{year}/{month}/{day}/{id}' })
   */
  readonly locate?: string | LocatePath
  /**
   * The key in the upload's metadata whose value becomes the file's modification time (`mtime`)
   * when the upload is finished: milliseconds since 1970 as digits, or an ISO 8601 date. Any other
   * value is ignored. If absent, `mtime` is the time of the last write.
   *
   * Fills the slot Finisher, so finishing an upload costs one more record write.
   *
   * @example
   * new FileStore({ directory: './uploads', mtimeMetadata: 'lastModified' })
   */
  readonly mtimeMetadata?: string
}

/**
 * Keeps the bytes of each upload in a file that contains nothing else. It has every capability of a
 * data store.
 *
 * A `preCreate` hook places an upload with `{ path }`, under the rules of
 * {@link FileStoreOptions.locate}. Next to the data, names that begin with a dot belong to the
 * store: `.<name>.verified` while chunks with checksums arrive, and `.<name>.tmp` while a file is
 * being replaced. If the process is killed at that moment, they can stay as long as the upload.
 *
 * Small steps run in the event loop while the file system responds at once, and in the thread pool
 * when it is slow, as on a network file system. The first step that hangs forever hangs the
 * process.
 *
 * The store is fenced: when an earlier holder of the lock never released it, the data is copied
 * (cloned, where the file system can) into a new file before the next byte. So later writes of the
 * earlier holder go to a file that is no longer there.
 */
export class FileStore
  implements DataStore, VerifiedAppender, Terminator, Concatenator, ContentReader
{
  /** The only limit is that of the file system. */
  readonly maxSize = Infinity
  readonly #directory: Directory
  readonly #locate: LocatePath
  readonly #mtimeMetadata: string | undefined
  /** Uploads that were just created, so that their `stat` is known. */
  readonly #empty = new WeakSet<Upload>()

  constructor(options: FileStoreOptions) {
    const checked = checkOptions('FileStore', options, {
      ...directoryRules,
      locate: {
        expectation: 'a template or a function',
        accepts: (v) => typeof v === 'string' || typeof v === 'function',
      },
      mtimeMetadata: must.beText,
    })
    this.#directory = new Directory(checked)
    this.#locate = pathLocator(checked.locate)
    this.#mtimeMetadata = checked.mtimeMetadata
  }

  /**
   * Fills the slots for data, verified chunks, termination, concatenation and downloads, and with
   * `mtimeMetadata` the Finisher slot.
   */
  useIn(composer: StoreComposer): void {
    composer
      .useDataStore(this)
      .useVerifiedAppender(this)
      .useTerminator(this)
      .useConcatenator(this)
      .useContentReader(this)
    if (this.#mtimeMetadata === undefined) return
    const pathOf = (upload: Upload) => this.#pathOf(upload)
    composer.useFinisher(new MtimeFinisher(this.#mtimeMetadata, this.#directory, pathOf))
  }

  locate(upload: UnplacedUpload): StorageRef {
    const { place } = upload
    const path = place === undefined ? checkPlace(this.#locate(upload)) : pathOfPlace(place)
    return { kind: 'file', at: { path } }
  }

  async create(upload: Upload, options: CreateOptions): Promise<void> {
    await this.#use(async () => {
      assertMayChange(options)
      const path = this.#pathOf(upload)
      await this.#directory.confirm()
      const file = await this.#directory.createFile(path, 'wx')
      try {
        await this.#directory.sync(file)
      } finally {
        await file.close()
      }
      await this.#directory.syncName(path)
      this.#empty.add(upload)
    }, ofCreation)
  }

  /** Takes a few steps and ignores the signal: an unwanted result does no harm. */
  stat(upload: Upload, _options: ReadOptions): Promise<FileStat> {
    return this.#use(async () => {
      const path = this.#pathOf(upload)
      const marker = markerPath(path)
      // A marker that is there before and not after may be on a disk that has gone away.
      const isMarked = (await this.#directory.disk.lstat(marker)) !== undefined
      // In this order, because the marker exists before the first unverified byte.
      const size = await storedSize(path, this.#directory)
      const read = () => VerifiedMarker.read(marker, this.#directory)
      const verified = await (isMarked ? this.#directory.find(read) : read())
      return {
        offset: Math.min(size, verified ?? size),
        size,
        marked: verified !== undefined,
      }
    })
  }

  append(upload: Upload, from: Stat, body: UploadBody, options: AppendOptions): Promise<FileStat> {
    return this.#write(upload, from, options, false, (data) =>
      eachBatch(body, options, async (batch) => {
        await data.write(batch)
        await data.commit()
        options.progress(data.end)
      }),
    )
  }

  appendVerified(
    upload: Upload,
    from: Stat,
    body: UploadBody,
    accept: () => Promise<boolean>,
    options: AppendOptions,
  ): Promise<FileStat> {
    return this.#write(upload, from, options, true, async (data) => {
      await eachBatch(body, options, (batch) => data.write(batch))
      if (!(await accept())) return data.discard()
      await data.commit()
      options.progress(data.end)
    })
  }

  async terminate(upload: Upload, options: WriteOptions): Promise<void> {
    await this.#use(async () => {
      const path = this.#pathOf(upload)
      const remove = (removal: () => Promise<void>) =>
        this.#directory.remove(async () => {
          assertMayChange(options)
          await removal()
        })
      await remove(() => rm(scratchPath(path), { recursive: true }))
      await remove(() => unlink(path))
      // Last, because the marker limits which bytes count as long as there is data.
      await remove(() => unlink(markerPath(path)))
      await unlessMissing(this.#directory.syncFolder(dirname(path)))
      // Without the directory nothing was removed, and the data may come back with it.
      await this.#directory.confirm()
    })
  }

  async concatenate(
    final: Upload,
    partials: readonly Upload[],
    options: WriteOptions,
  ): Promise<void> {
    await this.#use(async () => {
      const path = this.#pathOf(final)
      const pieces = await Promise.all(partials.map((partial) => this.#pieceOf(partial, options)))
      await withScratch(path, this.#directory, options, async (temporary) => {
        await joinPieces(temporary, pieces, this.#directory, options)
        await moveOver(temporary, path, this.#directory, options)
      })
      this.#empty.delete(final)
    })
  }

  read(upload: Upload, range: ByteRange | undefined, options: ReadOptions): Promise<Readable> {
    return this.#use(async () => {
      options.signal.throwIfAborted()
      const { start, end } = range ?? { start: 0, end: (await this.#sizeOf(upload, options)) - 1 }
      if (!(start >= 0)) throw new RangeError(`A range cannot begin at ${start}`)
      const file = await this.#directory.openFile(this.#pathOf(upload), forReading)
      return streamFile(file, start, end + 1)
    })
  }

  #write(
    upload: Upload,
    from: Stat,
    write: WriteOptions,
    unverified: boolean,
    work: (data: DataFile) => Promise<void>,
  ): Promise<FileStat> {
    return this.#use(async () => {
      const path = this.#pathOf(upload)
      const found = await this.#find(upload, from, write)
      const directory = this.#directory
      const data = await DataFile.open({ path, from: found, directory, write, unverified })
      try {
        await work(data)
        return await data.settle(upload.length)
      } finally {
        await data.close()
      }
    })
  }

  /**
   * Returns `from` as this store returned it, or reads it again when the caller knows only the
   * offset.
   */
  async #find(upload: Upload, from: Stat, options: ReadOptions): Promise<FileStat> {
    if (isFileStat(from)) return from
    const isEmpty = this.#empty.delete(upload) && from.offset === 0
    if (isEmpty) return { offset: 0, size: 0, marked: false }
    const found = await this.stat(upload, options)
    if (found.offset !== from.offset) throw new TusError('ERR_OFFSET_MISMATCH')
    return found
  }

  async #pieceOf(partial: Upload, options: ReadOptions): Promise<Piece> {
    return { path: this.#pathOf(partial), length: await this.#sizeOf(partial, options) }
  }

  async #sizeOf(upload: Upload, options: ReadOptions): Promise<number> {
    return upload.length ?? (await this.stat(upload, options)).offset
  }

  #use<T>(operation: () => Promise<T>, meanings: Meanings = ofRecorded): Promise<T> {
    return this.#directory.use(operation, meanings)
  }

  #pathOf({ storage }: Upload): string {
    return `${this.#directory.path}/${checkPlace(storage.at.path)}`
  }
}

const ofRecorded = { ENOENT: 'ERR_DATA_MISSING' } as const

/** These errors mean a bad place, but only while an upload is created. */
const ofCreation = {
  ...ofRecorded,
  EEXIST: 'ERR_DATA_EXISTS',
  ENAMETOOLONG: 'ERR_INVALID_PLACE',
} as const

const forReading = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
