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
import { checkOptions, must } from '../check-options.js'
import { isTusError, TusError } from '../errors.js'
import { neverAborts } from '../never-aborts.js'
import { readableOf } from '../readable-of.js'
import type { ComposerPart } from '../store-composer.js'
import type { StorageRef, Upload } from '../upload.js'
import { outcomeOf, type Migrated } from './migrated.js'
import { idsOf } from './migrate-info.js'
import { beStore, migrationRules, slotsOf, withOpen } from './stores.js'

/** Options of {@link migrateData}. */
export interface MigrateDataOptions {
  /** The info store with the records of the uploads. It must list their ids. It is updated. */
  readonly info: ComposerPart
  /** The data store that has the bytes. It must read them. It is not changed. */
  readonly from: ComposerPart
  /** The data store that gets the bytes. It must read them, too. */
  readonly to: ComposerPart
  /**
   * Chooses the place of an upload in the new store, in its own terms, as a `preCreate` hook does.
   * @default the new store chooses
   */
  readonly place?: (upload: Upload) => Readonly<Record<string, string>> | undefined
  /**
   * Only uploads whose ids come after this one, to continue where an earlier run ended.
   * @default from the first id
   */
  readonly after?: string
  /**
   * Ends the migration: it rejects with the reason.
   * @default nothing ends it
   */
  readonly signal?: AbortSignal
}

/** The stores and settings of a migration. */
interface Move {
  readonly infoStore: InfoStore
  readonly from: Source
  readonly to: Source & { readonly finisher?: Finisher }
  readonly place: MigrateDataOptions['place']
  readonly signal: AbortSignal
}

interface Source {
  readonly dataStore: DataStore
  readonly contentReader: ContentReader
}

/**
 * Copies the bytes of all uploads, finished or not, from one data store to another, in the order of
 * their ids, and yields what has become of each. Then the record names the new place. The bytes of
 * finished uploads are read back and compared first. The old ones remain: remove them when you are
 * sure. Opens the stores first, and closes them at the end.
 *
 * Stop all servers that use the uploads before. You can repeat it at any time: an upload that was
 * cut off continues, and one that was copied before is compared. An upload that cannot be copied
 * does not keep it from the others.
 *
 * Rejects with `ERR_STORAGE_UNAVAILABLE` if one of the stores cannot be reached.
 *
 * @example
 * const info = new FileInfoStore({ directory: './records' })
 * const from = new FileStore({ directory: './uploads' })
 * for await (const { id, outcome, error } of migrateData({ info, from, to })) {
 *   if (outcome === 'failed') console.error(id, error)
 * }
 */
export function migrateData(
  options: MigrateDataOptions,
): AsyncGenerator<Migrated, void, undefined> {
  const owner = 'migrateData'
  const rules = {
    info: beStore,
    from: beStore,
    to: beStore,
    place: must.beFunction,
    ...migrationRules,
  }
  const { after, place, signal = neverAborts, ...parts } = checkOptions(owner, options, rules)
  const info = slotsOf(owner, 'info', parts.info, 'infoStore', 'infoLister')
  const from = slotsOf(owner, 'from', parts.from, 'dataStore', 'contentReader')
  const to = slotsOf(owner, 'to', parts.to, 'dataStore', 'contentReader')
  const move: Move = { infoStore: info.infoStore, from, to, place, signal }
  return withOpen([info, from, to], async function* () {
    for await (const id of idsOf(info.infoLister, after, signal)) {
      yield await outcomeOf(id, () => copyUpload(id, move))
    }
  })
}

async function copyUpload(id: string, move: Move) {
  const { infoStore, from, signal } = move
  const upload = await infoStore.get(id, { signal })
  if (upload === undefined || upload.state.kind === 'gone') return 'absent'
  const target = new Target(move, upload)
  // An earlier run may have copied it. Then the record may mean nothing to the old store.
  const there = target.isNamed ? await target.stat() : undefined
  const found = await statIfThere(from.dataStore, upload, signal).catch((error: unknown) => {
    if (there !== undefined && isTusError(error, 'ERR_INVALID_PLACE')) return undefined
    throw error
  })
  if (found === undefined) {
    if (there === undefined) return 'absent'
    if (!isFinished(upload, there) || there.offset === upload.length) return 'present'
    throw new TusError('ERR_DATA_MISSING')
  }
  if (there?.offset === found.offset) {
    await target.compare(found)
    return 'present'
  }
  await target.fill(found)
  await target.finish(found)
  await target.compare(found)
  await target.name(found)
  return 'copied'
}

/** An upload in the new store. */
class Target {
  readonly #move: Move
  readonly #upload: Upload
  #storage: StorageRef

  constructor(move: Move, upload: Upload) {
    this.#move = move
    this.#upload = upload
    const { storage: _, ...unplaced } = upload
    const place = move.place?.(upload)
    const { kind, at } = move.to.dataStore.locate({ ...unplaced, ...(place && { place }) })
    const isNamed = upload.storage.kind === kind && isDeepStrictEqual(upload.storage.at, at)
    this.#storage = isNamed ? upload.storage : { kind, at }
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
    let stored = await this.stat()
    if (stored === undefined) {
      await dataStore.create(this.#record, this.#options())
      stored = { offset: 0 }
    }
    while (stored.offset < size) {
      const { offset } = stored
      const range = { start: offset, end: size - 1 }
      const bytes = await readFrom(this.#move.from, this.#upload, range, this.#move.signal)
      const body = bodyOf(bytes, size - offset)
      stored = await dataStore.append(this.#record, stored, body, this.#options())
      if (stored.offset === offset) throw new Error('The new store takes no more bytes')
    }
    if (stored.offset > size) {
      const cause = new Error(`The new store has ${stored.offset} bytes instead of ${size}`)
      throw new TusError('ERR_DATA_EXISTS', { cause })
    }
  }

  /** Finishes an upload that was finished in the old store. */
  async finish(stored: Stat): Promise<void> {
    const { finisher } = this.#move.to
    if (finisher === undefined || !isFinished(this.#upload, stored)) return
    await finisher.finish(this.#record, stored, this.#options())
  }

  /** Throws unless both stores have the same bytes. Only finished uploads can be read. */
  async compare(stored: Stat): Promise<void> {
    if (!isFinished(this.#upload, stored) || stored.offset === 0) return
    const { from, to, signal } = this.#move
    const range = { start: 0, end: stored.offset - 1 }
    const before = await digestOf(await readFrom(from, this.#upload, range, signal))
    const after = await digestOf(await readFrom(to, this.#record, range, signal))
    if (before === after) return
    const cause = new Error('The new store has other bytes for this upload')
    throw new TusError('ERR_DATA_EXISTS', { cause })
  }

  /** Records the new place. */
  async name(stored: Stat): Promise<void> {
    const { infoStore, to, signal } = this.#move
    const upload = this.#upload
    // A store with a finisher decides by the record whether an upload is finished.
    const recorded = to.finisher !== undefined && upload.finish === 'implied'
    const finished = { kind: 'finished', at: new Date().toISOString() } as const
    const next: Upload = {
      ...this.#record,
      revision: upload.revision + 1,
      ...(recorded && { finish: 'recorded' }),
      ...(recorded && isFinished(upload, stored) && { state: finished }),
    }
    if (!this.isNamed || recorded) await infoStore.update(next, { signal })
  }

  #options(): CreateOptions & AppendOptions {
    return {
      signal: this.#move.signal,
      fence: { token: 0, forced: false, held: () => true, shutOut: () => {} },
      incoming: 'nothing',
      progress: () => {},
      saveSecret: async (secret) => {
        this.#storage = { ...this.#storage, secret }
      },
    }
  }
}

function isFinished({ state, finish, length }: Upload, { offset }: Stat): boolean {
  return state.kind === 'finished' || (finish === 'implied' && offset === length)
}

async function statIfThere(
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
function bodyOf(bytes: Readable, size: number): UploadBody {
  async function* batches(): AsyncGenerator<readonly Buffer[], void, undefined> {
    try {
      for await (const piece of bytes) yield [piece as Buffer]
    } catch {
      // The next read rejects with the reason, if it lasts.
    }
  }
  const all = batches()
  return { size, [Symbol.asyncIterator]: () => all, readable: () => readableOf(all) }
}

async function digestOf(bytes: Readable): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(bytes, hash)
  return hash.digest('hex')
}
