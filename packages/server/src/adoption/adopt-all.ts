import { basename, join } from 'node:path'
import { isTusError, isUploadId, type Upload } from 'tuskit'
import { reasonOf } from '../explain.js'
import { adopt, type NewHome } from './adopt.js'
import type { OldFolder } from './old-folder.js'

/** The outcome for an upload, or for a file that belongs to none. */
export type Result =
  | {
      readonly outcome: 'adopted' | 'present'
      readonly id: string
      readonly upload: Upload
      readonly offset: number
    }
  | { readonly outcome: 'refused'; readonly id: string; readonly reason: string }
  /** The id is the path of the file. */
  | { readonly outcome: 'stray'; readonly id: string; readonly reason: string }

/**
 * Adopts all uploads of a folder, and yields the outcome of each, then the files of no upload.
 * Rejects if a store cannot be reached, or it is aborted.
 */
export async function* adoptAll(old: OldFolder, home: NewHome): AsyncGenerator<Result> {
  for await (const id of old.ids()) {
    home.signal.throwIfAborted()
    yield await resultOf(id, old, home)
  }
  for await (const path of old.strays()) {
    home.signal.throwIfAborted()
    if (home.owners.has(join(old.path, path)) || (await isOwn(basename(path), home))) continue
    yield { outcome: 'stray', id: path, reason: 'no record names this file' }
  }
}

async function resultOf(id: string, old: OldFolder, home: NewHome): Promise<Result> {
  try {
    return { id, ...(await adopt(await old.read(id), home)) }
  } catch (error) {
    home.signal.throwIfAborted()
    if (isTusError(error, 'ERR_STORAGE_UNAVAILABLE')) throw error
    return { outcome: 'refused', id, reason: reasonOf(error) }
  }
}

/** Whether a file is named after an upload of this server, even one that cannot be read. */
async function isOwn(id: string, { infoStore, signal }: NewHome): Promise<boolean> {
  if (!isUploadId(id)) return false
  return infoStore.get(id, { signal }).then(
    (record) => record !== undefined,
    () => true,
  )
}
