import { join, relative } from 'node:path'
import { isTusError, type Upload } from 'tuskit'
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

/** Reasons repeat what records say, which may be long. */
const longestReason = 500

/**
 * Adopts all uploads of a folder, and yields the outcome of each, then the files of no upload.
 * Rejects if a store cannot be reached, or it is aborted.
 */
export async function* adoptAll(old: OldFolder, home: NewHome): AsyncGenerator<Result> {
  const { owners, signal } = home
  const ownerOf = (path: string) => owners.ownerOf(relative(home.folder, path), signal)
  for await (const id of old.ids()) {
    signal.throwIfAborted()
    // A client of this server may have uploaded a file that looks like a record.
    if ((await ownerOf(old.recordPath(id))) !== undefined) continue
    yield await resultOf(id, old, home)
  }
  for await (const { path, reason } of old.strays()) {
    signal.throwIfAborted()
    const file = join(old.path, path)
    if (home.named.has(file) || (await ownerOf(file)) !== undefined) continue
    yield { outcome: 'stray', id: path, reason }
  }
}

async function resultOf(id: string, old: OldFolder, home: NewHome): Promise<Result> {
  try {
    const adopted = await adopt(await old.read(id), old, home)
    if (home.removesRecords && !home.isTrial) await old.removeRecord(id)
    return { id, ...adopted }
  } catch (error) {
    home.signal.throwIfAborted()
    if (isTusError(error, 'ERR_STORAGE_UNAVAILABLE')) throw error
    return { outcome: 'refused', id, reason: reasonOf(error).slice(0, longestReason) }
  }
}
