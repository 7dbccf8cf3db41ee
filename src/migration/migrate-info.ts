import { isDeepStrictEqual } from 'node:util'
import type { InfoLister } from '../capabilities/info-lister.js'
import type { InfoStore } from '../capabilities/info-store.js'
import { checkOptions } from '../check-options.js'
import { isTusError, TusError } from '../errors.js'
import { neverAborts } from '../never-aborts.js'
import { parseUpload, serializeUpload } from '../parse-upload.js'
import type { ComposerPart } from '../store-composer.js'
import type { Upload } from '../upload.js'
import { outcomeOf, type Migrated } from './migrated.js'
import { beStore, migrationRules, slotsOf, withOpen } from './stores.js'

/** Options of {@link migrateInfo}. */
export interface MigrateInfoOptions {
  /** The info store that has the records. It must list their ids. It is not changed. */
  readonly from: ComposerPart
  /** The info store that gets the records. */
  readonly to: ComposerPart
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
 * Copies all records from one info store to another, in the order of their ids, and yields what has
 * become of each. Reads each copy back. Opens the stores first, and closes them at the end.
 *
 * Stop all servers that use the records before: changes during the migration would be lost. You can
 * repeat it at any time; records that were copied before are compared. Records that cannot be read
 * do not keep it from the others.
 *
 * Rejects with `ERR_STORAGE_UNAVAILABLE` if one of the stores cannot be reached.
 *
 * @example
 * const from = new FileInfoStore({ directory: './records' })
 * for await (const { id, outcome, error } of migrateInfo({ from, to })) {
 *   if (outcome === 'failed') console.error(id, error)
 * }
 */
export function migrateInfo(
  options: MigrateInfoOptions,
): AsyncGenerator<Migrated, void, undefined> {
  const owner = 'migrateInfo'
  const rules = { from: beStore, to: beStore, ...migrationRules }
  const { after, signal = neverAborts, ...parts } = checkOptions(owner, options, rules)
  const from = slotsOf(owner, 'from', parts.from, 'infoStore', 'infoLister')
  const to = slotsOf(owner, 'to', parts.to, 'infoStore')
  return withOpen(owner, [from, to], signal, async function* () {
    for await (const id of idsOf(from.infoLister, after, signal)) {
      yield await outcomeOf(id, signal, () => copyRecord(id, from.infoStore, to.infoStore, signal))
    }
  })
}

/** Yields ids until the signal aborts. */
export async function* idsOf(
  infoLister: InfoLister,
  after: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  for await (const id of infoLister.ids({ signal, ...(after !== undefined && { after }) })) {
    signal.throwIfAborted()
    yield id
  }
}

async function copyRecord(id: string, from: InfoStore, to: InfoStore, signal: AbortSignal) {
  const record = await from.get(id, { signal })
  if (record === undefined) return 'absent'
  const isNew = await to.create(record, { signal }).then(
    () => true,
    (error: unknown) => {
      if (isTusError(error, 'ERR_ID_TAKEN')) return false
      throw error
    },
  )
  const copy = await to.get(id, { signal })
  if (copy !== undefined && isSame(copy, record)) return isNew ? 'copied' : 'present'
  const cause = new Error('The new store has another record of this upload')
  throw new TusError('ERR_ID_TAKEN', { cause })
}

/** Compares records as text has them: a store may return their members in another order. */
function isSame(a: Upload, b: Upload): boolean {
  const [left, right] = [a, b].map((upload) => parseUpload(serializeUpload(upload)))
  return isDeepStrictEqual(left, right)
}
