import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isDeepStrictEqual } from 'node:util'
import type { AppendOptions, CreateOptions } from '../capabilities/call-options.js'
import type { ContentReader } from '../capabilities/content-reader.js'
import type { DataStore, Stat } from '../capabilities/data-store.js'
import type { Finisher } from '../capabilities/finisher.js'
import type { InfoStore } from '../capabilities/info-store.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import { isTusError, TusError } from '../errors.js'
import { readableOf } from '../readable-of.js'
import type { StorageRef, Upload } from '../upload.js'

/** The stores and settings of a migration. */
export interface Move {
  readonly infoStore: InfoStore
  readonly from: Source
  readonly to: Source & { readonly finisher?: Finisher }
  readonly place: ((upload: Upload) => Readonly<Record<string, string>> | undefined) | undefined
  readonly signal: AbortSignal
}

interface Source {
  readonly dataStore: DataStore
  readonly contentReader: ContentReader
}

/** An upload in the new store. */
export class Target {
  readonly #move: Move
  #upload: Upload
  #storage: StorageRef

  constructor(move: Move, upload: Upload) {
    this.#move = move
    this.#upload = upload
    const { storage, moving, ...unplaced } = upload
    const place = move.place?.(upload)
    const chosen = move.to.dataStore.locate({ ...unplaced, ...(place && { place }) })
    const known = [storage, moving].find((one) => one !== undefined && isSamePlace(one, chosen))
    this.#storage = known ?? chosen
  }

  /** Whether the record names this place. */
  get isNamed(): boolean {
    return this.#storage === this.#upload.storage
  }

  get #record(): Upload {
    return { ...this.#upload, storage: this.#storage }
  }

  stat(): Promise<Stat | undefined> {
    return statIfThere(this.#move.to.dataStore, this.#record, this.#move.signal)
  }

  /** Copies the bytes that are not there yet. */
  async fill({ offset: size }: Stat): Promise<void> {
    const { dataStore } = this.#move.to
    if (size > dataStore.maxSize || (this.#upload.length ?? 0) > dataStore.maxSize) {
      throw new TusError('ERR_MAX_SIZE_EXCEEDED', { maxSize: dataStore.maxSize })
    }
    let stored = await this.stat()
    const isOwn = this.isNamed || this.#storage === this.#upload.moving
    if (stored !== undefined && !isOwn) throw differs('data of something else')
    // Recorded before the data, so that it can be found after a crash.
    if (!isOwn) await this.#note()
    if (stored === undefined) {
      await dataStore.create(this.#record, this.#options())
      stored = { offset: 0 }
    }
    if (stored.offset > size) throw differs(`${stored.offset} bytes instead of ${size}`)
    await this.compare(stored)
    while (stored.offset < size) stored = await this.#append(stored, size)
  }

  async #append(stored: Stat, size: number): Promise<Stat> {
    const { from, to, signal } = this.#move
    const range = { start: stored.offset, end: size - 1 }
    const bytes = await readFrom(from, this.#upload, range, signal)
    const source = bodyOf(bytes, size - stored.offset)
    try {
      const next = await to.dataStore.append(this.#record, stored, source.body, this.#options())
      if (next.offset > stored.offset) return next
      source.throwFailure()
      throw new Error('The new store takes no more bytes')
    } finally {
      bytes.destroy()
    }
  }

  /** Finishes an upload that was finished in the old store. */
  async finish(stored: Stat): Promise<void> {
    const { finisher } = this.#move.to
    if (finisher === undefined || !isFinished(this.#upload, stored)) return
    await finisher.finish(this.#record, stored, this.#options())
  }

  /** Throws unless both stores have the same bytes, as far as the new one can read them. */
  async compare({ offset }: Stat): Promise<void> {
    if (offset === 0) return
    const { from, to, signal } = this.#move
    const range = { start: 0, end: offset - 1 }
    const copy = await readFrom(to, this.#record, range, signal).catch((error: unknown) => {
      // A store need only read finished uploads.
      if (isFinished(this.#upload, { offset }) || isTusError(error, 'ERR_STORAGE_UNAVAILABLE')) {
        throw error
      }
    })
    if (copy === undefined) return
    const before = await digestOf(await readFrom(from, this.#upload, range, signal))
    if (before !== (await digestOf(copy))) throw differs('other bytes')
  }

  /** Records the new place as that of the upload. */
  async name(stored: Stat): Promise<void> {
    const { to } = this.#move
    // A store with a finisher decides by the record whether an upload is finished.
    const recorded = to.finisher !== undefined && this.#upload.finish === 'implied'
    const finished = { kind: 'finished', at: new Date().toISOString() } as const
    const { moving: _, ...upload } = this.#record
    await this.#update({
      ...upload,
      ...(recorded && { finish: 'recorded' }),
      ...(recorded && isFinished(upload, stored) && { state: finished }),
    })
  }

  /** Records that the data is moving to the new place. */
  async #note(): Promise<void> {
    await this.#update({ ...this.#upload, moving: this.#storage })
    this.#storage = this.#upload.moving!
  }

  async #update(next: Upload): Promise<void> {
    const { infoStore, signal } = this.#move
    const upload = { ...next, revision: this.#upload.revision + 1 }
    await infoStore.update(upload, { signal })
    this.#upload = upload
  }

  #options(): CreateOptions & AppendOptions {
    return {
      signal: this.#move.signal,
      fence: { token: 0, forced: false, held: () => true, shutOut: () => {} },
      incoming: 'nothing',
      progress: () => {},
      saveSecret: async (secret) => {
        const isNamed = this.isNamed
        this.#storage = { ...this.#storage, secret }
        if (isNamed) await this.#update({ ...this.#upload, storage: this.#storage })
        else await this.#note()
      },
    }
  }
}

function isSamePlace(a: StorageRef, b: StorageRef): boolean {
  return a.kind === b.kind && isDeepStrictEqual(a.at, b.at)
}

function differs(what: string): TusError {
  const cause = new Error(`The new store has ${what} at the place of the upload`)
  return new TusError('ERR_DATA_EXISTS', { cause })
}

export function isFinished({ state, finish, length }: Upload, { offset }: Stat): boolean {
  return state.kind === 'finished' || (finish === 'implied' && offset === length)
}

export async function statIfThere(
  dataStore: DataStore,
  upload: Upload,
  signal: AbortSignal,
): Promise<Stat | undefined> {
  try {
    return await dataStore.stat(upload, { signal })
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw error
  }
}

async function readFrom(
  { contentReader }: Source,
  upload: Upload,
  range: { readonly start: number; readonly end: number },
  signal: AbortSignal,
): Promise<Readable> {
  const content = await contentReader.read(upload, range, { signal })
  if (content instanceof Readable) return content
  const cause = new Error('The store redirects readers to another server')
  throw new TusError('ERR_NOT_SUPPORTED', { cause })
}

/** Returns bytes as a body. A body never throws, so a failure ends it early. */
function bodyOf(bytes: Readable, size: number) {
  let failed = false
  let failure: unknown
  async function* batches(): AsyncGenerator<readonly Buffer[], void, undefined> {
    try {
      for await (const piece of bytes) yield [piece as Buffer]
    } catch (error) {
      failed = true
      failure = error
    }
  }
  const all = batches()
  const body: UploadBody = {
    size,
    [Symbol.asyncIterator]: () => all,
    readable: () => readableOf(all),
  }
  const throwFailure = () => {
    if (failed) throw failure
  }
  return { body, throwFailure }
}

async function digestOf(bytes: Readable): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(bytes, hash)
  return hash.digest('hex')
}
