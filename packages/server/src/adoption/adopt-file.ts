import { constants, type Stats } from 'node:fs'
import { access, lstat, realpath, truncate } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { isTusError } from 'tuskit'
import type { DataStore, Upload } from 'tuskit'
import type { NewHome } from './new-home.js'
import { checkIds, existing, notPutTogether, recordOf, writeRecord } from './new-record.js'
import type { OldFolder } from './old-folder.js'
import type { Adopted } from './old-source.js'
import { NotAdoptable, type OldFile } from './old-upload.js'
import { pathInside } from './path-inside.js'

/** Writes the record of an upload in a folder. */
export async function adoptFile(old: OldFile, folder: OldFolder, home: NewHome): Promise<Adopted> {
  const { id, length, offset } = old
  const { owners, signal } = home
  const data = await findData(old)
  const size = data.stats.size
  if (basename(data.path) !== id) home.named.add(folder.inStore(data.path))
  checkIds(old)
  if (folder.isRecord(data.path)) throw new NotAdoptable('its data is the record of another upload')
  const stored = offset ?? size
  const { maxSize } = home.settings
  const facts = { isFinished: stored === length, maxSize, changedAt: data.stats.mtime }
  const upload = placed(data.path, recordOf(old, facts, home), folder, home.dataStore)
  const path = upload.storage.at['path']!
  const isCut = size > stored
  const known = () => existing(old, upload.storage.at, !isCut, home)
  // Before anything else: the upload may have gained bytes since it was adopted.
  const record = await known()
  if (record !== undefined) return { outcome: 'present', upload: record, offset: size }
  checkSize(old, size, folder)
  await checkRights(data.path)
  await owners.check(path, id, signal)
  const sibling = relative(folder.path, data.path)
  if (sibling !== id && folder.hasDataNextToRecords && folder.hasRecord(sibling)) {
    throw new NotAdoptable(`its data is that of another upload, ${sibling}`)
  }
  owners.note(path, id)
  if (home.isTrial) return { outcome: 'adopted', upload, offset: stored }
  if (isCut) await truncate(data.path, stored)
  return writeRecord(upload, stored, home, known)
}

interface Data {
  readonly path: string
  readonly stats: Stats
}

async function findData({ paths }: OldFile): Promise<Data> {
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

function placed(
  path: string,
  upload: Omit<Upload, 'storage'>,
  { root }: OldFolder,
  dataStore: DataStore,
): Upload {
  const inside = pathInside(root, path)
  if (inside === undefined) {
    throw new NotAdoptable(`its data, ${path}, is not in the directory of --data`)
  }
  try {
    return { ...upload, storage: dataStore.locate({ ...upload, place: { path: inside } }) }
  } catch (error) {
    if (!isTusError(error, 'ERR_INVALID_PLACE')) throw error
    throw new NotAdoptable(`its data, ${path}, has a name that tuskit does not use`, {
      cause: error,
    })
  }
}

function checkSize({ length, offset, role }: OldFile, size: number, { mayCut }: OldFolder): void {
  const stored = offset ?? size
  if (size < stored)
    throw new NotAdoptable(`its file has ${size} bytes of ${stored} that were stored`)
  if (stored > (length ?? Infinity)) {
    throw new NotAdoptable(`it has ${stored} bytes, more than its length of ${length}`)
  }
  if (size > stored && stored === length) {
    throw new NotAdoptable(`it is finished, but its file has ${size} bytes instead of ${stored}`)
  }
  if (size > stored && !mayCut) {
    throw new NotAdoptable(`its file has ${size} bytes, of which ${stored} are recorded: see --cut`)
  }
  if (role?.kind === 'final' && stored !== length) throw new NotAdoptable(notPutTogether)
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
