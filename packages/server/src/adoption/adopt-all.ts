import { isTusError, type Upload } from 'tuskit'
import { reasonOf } from '../explain.js'
import type { NewHome } from './new-home.js'
import type { OldSource } from './old-source.js'

/** The outcome for an upload, or for a file or object that belongs to none. */
export type Result =
  | {
      readonly outcome: 'adopted' | 'present'
      readonly id: string
      readonly upload: Upload
      readonly offset: number
    }
  /** The id is the name of the record if that says no other one. */
  | { readonly outcome: 'refused'; readonly id: string; readonly reason: string }
  /** The id is the path of the file, or the key of the object. */
  | { readonly outcome: 'stray'; readonly id: string; readonly reason: string }

/** Reasons repeat what records say, which may be long. */
const longestReason = 500

/**
 * Adopts all uploads of a folder or bucket, and yields the outcome of each, then the entries of no
 * upload. Rejects if a store cannot be reached, or it is aborted.
 */
export async function* adoptAll(old: OldSource, home: NewHome): AsyncGenerator<Result> {
  const { owners, signal } = home
  let adopting: Promise<Result | undefined>[] = []
  const settle = async () => {
    const results = await Promise.all(adopting).finally(() => Promise.allSettled(adopting))
    adopting = []
    return results.filter((result) => result !== undefined)
  }
  for await (const name of old.names()) {
    signal.throwIfAborted()
    adopting.push(resultOf(name, old, home))
    if (adopting.length >= old.atOnce) yield* await settle()
  }
  yield* await settle()
  for await (const { name, place, reason } of old.strays()) {
    signal.throwIfAborted()
    if (home.named.has(place) || (await owners.ownerOf(place, signal)) !== undefined) continue
    yield { outcome: 'stray', id: name, reason }
  }
}

/** Returns the outcome for a record, or nothing if it is none. */
async function resultOf(name: string, old: OldSource, home: NewHome): Promise<Result | undefined> {
  // A client of this server may have uploaded a file that looks like a record.
  const owner = await home.owners.ownerOf(old.placeOf(name), home.signal)
  if (owner !== undefined) return undefined
  let id = name
  try {
    const upload = await old.read(name)
    id = upload.id
    const adopted = await old.adopt(upload, home)
    if (home.removesRecords && !home.isTrial) await old.removeRecord(name)
    return { id, ...adopted }
  } catch (error) {
    home.signal.throwIfAborted()
    if (isTusError(error, 'ERR_STORAGE_UNAVAILABLE')) throw error
    return { outcome: 'refused', id, reason: reasonOf(error).slice(0, longestReason) }
  }
}
