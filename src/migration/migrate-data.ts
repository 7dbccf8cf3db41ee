import { checkOptions, must } from '../check-options.js'
import { isTusError, TusError } from '../errors.js'
import { neverAborts } from '../never-aborts.js'
import type { ComposerPart } from '../store-composer.js'
import type { Upload } from '../upload.js'
import { outcomeOf, type Migrated } from './migrated.js'
import { idsOf } from './migrate-info.js'
import { beStore, migrationRules, slotsOf, withOpen } from './stores.js'
import { isFinished, statIfThere, Target, type Move } from './target.js'

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

/**
 * Copies the bytes of all uploads, finished or not, from one data store to another, in the order of
 * their ids, and yields what has become of each. The record names the new place before the copy as
 * `moving`, and after it as `storage`. The bytes of finished uploads are read back and compared
 * first. The old ones remain: remove them when you are sure. Opens the stores first, and closes
 * them at the end.
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
  return withOpen(owner, [info, from, to], signal, async function* () {
    for await (const id of idsOf(info.infoLister, after, signal)) {
      yield await outcomeOf(id, signal, () => copyUpload(id, move))
    }
  })
}

async function copyUpload(id: string, move: Move) {
  const upload = await move.infoStore.get(id, { signal: move.signal })
  if (upload === undefined || upload.state.kind === 'gone') return 'absent'
  const target = new Target(move, upload)
  // An earlier run may have copied it. Then the record may mean nothing to the old store.
  const there = target.isNamed ? await target.stat() : undefined
  const found = await statIfThere(move.from.dataStore, upload, move.signal).catch((error) => {
    if (there !== undefined && isTusError(error, 'ERR_INVALID_PLACE')) return undefined
    throw error
  })
  if (found === undefined) {
    // The data of a final upload comes into being when its partial ones are finished.
    if (there === undefined && upload.concat?.kind === 'final' && upload.state.kind === 'open') {
      return 'absent'
    }
    if (there === undefined) throw new TusError('ERR_DATA_MISSING')
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
