import { constants, type Stats } from 'node:fs'
import { access, lstat, realpath, truncate } from 'node:fs/promises'
import { basename, posix, relative } from 'node:path'
import { isTusError, isUploadId, metadataOf } from 'tuskit'
import type { Concat, DataStore, InfoStore, Upload } from 'tuskit'
import type { Settings } from '../settings/settings.js'
import type { OldFolder } from './old-folder.js'
import { NotAdoptable, type OldUpload } from './old-upload.js'
import type { Owners } from './owners.js'
import { pathInside } from './path-inside.js'

/** Where the uploads are adopted. */
export interface NewHome {
  readonly settings: Settings
  /** The folder of the data store. It contains all files that can be adopted. */
  readonly folder: string
  readonly dataStore: DataStore
  readonly infoStore: InfoStore
  readonly owners: Owners
  /** The files that old records name, if they are not named after their upload. */
  readonly named: Set<string>
  /** Whether nothing is changed. */
  readonly isTrial: boolean
  /** Whether files that are longer than the old record says are cut. */
  readonly mayCut: boolean
  /** Whether the old records of adopted uploads are removed. */
  readonly removesRecords: boolean
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
export async function adopt(old: OldUpload, folder: OldFolder, home: NewHome): Promise<Adopted> {
  const { id, offset } = old
  const { dataStore, infoStore, owners, signal } = home
  const data = await findData(old)
  const size = data.stats.size
  if (basename(data.path) !== id) home.named.add(data.path)
  if (![id, ...(old.role?.parts ?? [])].every(isUploadId)) {
    throw new NotAdoptable('an id has 1 to 128 letters, digits, -, ., _ and ~, and no dot in front')
  }
  if (folder.isRecord(data.path)) throw new NotAdoptable('its data is the record of another upload')
  const upload = recordOf(old, data, home)
  const path = upload.storage.at['path']!
  // Before anything else: the upload may have gained bytes since it was adopted.
  const stored = offset ?? size
  const isCut = size > stored
  const known = await existing(upload, old, isCut, home)
  if (known !== undefined) return { outcome: 'present', upload: known, offset: size }
  checkSize(old, size, home)
  await checkRights(data.path)
  await owners.check(path, id, signal)
  const sibling = relative(folder.path, data.path)
  if (sibling !== id && folder.hasDataNextToRecords && folder.hasRecord(sibling)) {
    throw new NotAdoptable(`its data is that of another upload, ${sibling}`)
  }
  owners.note(path, id)
  if (home.isTrial) return { outcome: 'adopted', upload, offset: stored }
  if (isCut) await truncate(data.path, stored)
  // The store must see the data as this function does.
  const seen = await dataStore.stat(upload, { signal })
  if (seen.offset !== stored) throw new NotAdoptable('its file is changing')
  try {
    await infoStore.create(upload, { signal })
  } catch (error) {
    // Another run may be adopting the same folder.
    const record = isTusError(error, 'ERR_ID_TAKEN') && (await existing(upload, old, isCut, home))
    if (!record) throw error
    return { outcome: 'present', upload: record, offset: stored }
  }
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
    createdAt: (old.createdAt ?? old.changedAt ?? stats.mtime).toISOString(),
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
  const inside = pathInside(folder, path)
  if (inside === undefined) {
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
async function existing(upload: Upload, old: OldUpload, isCut: boolean, home: NewHome) {
  const record = await home.infoStore
    .get(upload.id, { signal: home.signal })
    .catch((error: unknown) => {
      // A run that was killed may have begun to write it. The info store decides.
      if (isTusError(error, 'ERR_INFO_CORRUPT') && !isCut) return undefined
      throw error
    })
  if (record === undefined) return undefined
  const isOther =
    record.metadata.raw !== upload.metadata.raw ||
    (old.createdAt !== undefined && record.createdAt !== upload.createdAt) ||
    (upload.length !== undefined && (record.length ?? upload.length) !== upload.length)
  if (isOther) throw new NotAdoptable('another upload in --info has its id')
  const path = record.storage.at['path']
  if (path !== upload.storage.at['path']) {
    throw new NotAdoptable(`it was adopted with another --data, where its data is ${path}`)
  }
  if (record.length === undefined && upload.length !== undefined) {
    throw new NotAdoptable('its length was declared to the other server after it was adopted')
  }
  return record
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
