import { constants, type Stats } from 'node:fs'
import { access, lstat, realpath, truncate } from 'node:fs/promises'
import { posix, relative, sep } from 'node:path'
import { isTusError, isUploadId, metadataOf } from 'tuskit'
import type { Concat, DataStore, InfoStore, Upload } from 'tuskit'
import type { Settings } from '../settings/settings.js'
import { NotAdoptable, type OldUpload } from './old-upload.js'
import type { Owners } from './owners.js'

/** Where the uploads are adopted. */
export interface NewHome {
  readonly settings: Settings
  /** The folder of the data store. It contains all files that can be adopted. */
  readonly folder: string
  readonly dataStore: DataStore
  readonly infoStore: InfoStore
  readonly owners: Owners
  /** Whether nothing is changed. */
  readonly isTrial: boolean
  /** Whether files that are longer than the old record says are cut. */
  readonly mayCut: boolean
  readonly signal: AbortSignal
}

/** An upload that has a record now, or could have one. */
export interface Adopted {
  readonly outcome: 'adopted' | 'present'
  readonly upload: Upload
  readonly offset: number
}

/**
 * Writes the record of an upload whose data is there already. Throws {@link NotAdoptable} when that
 * is not possible, and changes nothing then.
 */
export async function adopt(old: OldUpload, home: NewHome): Promise<Adopted> {
  const { id, offset } = old
  const data = await findData(old)
  const size = data.stats.size
  home.owners.claim(data.path, id)
  if (!isUploadId(id)) {
    throw new NotAdoptable('an id has 1 to 128 letters, digits, -, ., _ and ~, and no dot in front')
  }
  const upload = recordOf(old, data, home)
  // Before anything else: the upload may have gained bytes since it was adopted.
  const known = await existing(upload, home)
  if (known !== undefined) return { outcome: 'present', upload: known, offset: size }
  checkSize(old, size, home)
  await checkRights(data.path)
  const stored = offset ?? size
  if (home.isTrial) return { outcome: 'adopted', upload, offset: stored }
  const { dataStore, infoStore, signal } = home
  if (size > stored) await truncate(data.path, stored)
  // The store must see the data as this function does.
  const seen = await dataStore.stat(upload, { signal })
  if (seen.offset !== stored) throw new NotAdoptable('its file is changing')
  await infoStore.create(upload, { signal })
  return { outcome: 'adopted', upload, offset: stored }
}

interface Data {
  readonly path: string
  readonly stats: Stats
}

async function findData({ paths }: OldUpload): Promise<Data> {
  for (const path of paths) {
    const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(error.code!)) return undefined
      throw error
    })
    if (stats === undefined) continue
    if (!stats.isFile()) throw new NotAdoptable(`its data, ${path}, is not a file`)
    return { path: await realpath(path), stats }
  }
  throw new NotAdoptable(`its data is not there: ${paths[0]}`)
}

/** Returns the record that the upload would have if it had been created here. */
function recordOf(old: OldUpload, { path, stats }: Data, home: NewHome): Upload {
  const { id, length, role } = old
  const { expireAfter, expireFinishedAfter, maxSize } = home.settings
  const isFinished = (old.offset ?? stats.size) === length
  const expires = isFinished ? expireFinishedAfter : expireAfter
  const unplaced: Omit<Upload, 'storage'> = {
    id,
    revision: 1,
    protocol: 'tus',
    ...(length !== undefined && { length }),
    ...(maxSize !== undefined && !isFinished && { maxSize }),
    metadata: metadataIn(old),
    ...(role && { concat: concatOf(role, home) }),
    createdAt: (old.createdAt ?? stats.mtime).toISOString(),
    // From now on, because nobody knew before that it would expire.
    ...(expires !== undefined && { expiresAt: new Date(Date.now() + expires).toISOString() }),
    // Recorded, so that hooks learn when it is finished, and never learn it twice.
    finish: 'recorded',
    state: isFinished ? { kind: 'finished', at: stats.mtime.toISOString() } : { kind: 'open' },
  }
  return { ...unplaced, storage: placeOf(path, unplaced, home) }
}

function metadataIn({ metadata }: OldUpload): Upload['metadata'] {
  try {
    return metadataOf(metadata)
  } catch (error) {
    throw new NotAdoptable(`its metadata is wrong: ${(error as Error).message}`, { cause: error })
  }
}

function concatOf({ kind, parts }: NonNullable<OldUpload['role']>, { settings }: NewHome): Concat {
  if (kind === 'partial') return { kind, finals: [] }
  const paths = parts.map((id) => posix.join('/', settings.basePath, id))
  return { kind, header: `final;${paths.join(' ')}`, partials: parts }
}

function placeOf(
  path: string,
  upload: Omit<Upload, 'storage'>,
  { folder, dataStore }: NewHome,
): Upload['storage'] {
  const inside = relative(folder, path).split(sep).join('/')
  if (inside.startsWith('../')) {
    throw new NotAdoptable(`its data, ${path}, is not in the directory of --data`)
  }
  try {
    return dataStore.locate({ ...upload, place: { path: inside } })
  } catch (error) {
    if (!isTusError(error, 'ERR_INVALID_PLACE')) throw error
    throw new NotAdoptable(`its data, ${path}, has a name that tuskit does not use`, {
      cause: error,
    })
  }
}

/** Returns the record that the upload has already. Throws if another upload has its id. */
async function existing({ id, storage }: Upload, home: NewHome): Promise<Upload | undefined> {
  const record = await home.infoStore.get(id, { signal: home.signal })
  if (record === undefined || record.storage.at['path'] === storage.at['path']) return record
  throw new NotAdoptable('another upload in --info has its id')
}

function checkSize({ length, offset, role }: OldUpload, size: number, home: NewHome): void {
  const stored = offset ?? size
  if (size < stored)
    throw new NotAdoptable(`its file has ${size} bytes of ${stored} that were stored`)
  if (stored > (length ?? Infinity)) {
    throw new NotAdoptable(`it has ${stored} bytes, more than its length of ${length}`)
  }
  if (size > stored && stored === length) {
    throw new NotAdoptable(`it is finished, but its file has ${size} bytes instead of ${stored}`)
  }
  if (size > stored && !home.mayCut) {
    throw new NotAdoptable(`its file has ${size} bytes, of which ${stored} are recorded: see --cut`)
  }
  if (role?.kind === 'final' && stored !== length) {
    throw new NotAdoptable('it was not completely put together: its client can do that again')
  }
}

/** Refuses a file that the server could not continue. Root is refused nothing. */
async function checkRights(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw new NotAdoptable(`its data, ${path}, cannot be read and written by this user`, {
      cause: error,
    })
  }
}
