import { isDeepStrictEqual } from 'node:util'
import type { InfoLister } from '../capabilities/info-lister.js'
import type { InfoStore } from '../capabilities/info-store.js'
import { checkOptions, must } from '../check-options.js'
import { isTusError, TusError } from '../errors.js'
import { neverAborts } from '../never-aborts.js'
import { parseUpload, serializeUpload } from '../parse-upload.js'
import type { ComposerPart } from '../store-composer.js'
import type { Upload } from '../upload.js'
import { inOrder, outcomeOf, type Migrated } from './migrated.js'
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
   * Removes records from the new store whose uploads are gone from the old one, as they were copied
   * by an earlier run. The new store must list its ids. Use it only before servers use the new
   * store: their new uploads are not in the old one.
   *
   * @default false
   */
  readonly removeGone?: boolean
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
 * You can repeat it at any time: records that were copied before are compared, and those that have
 * changed since are copied again. So servers can use the old store meanwhile. Stop them for the
 * last run, which has little to do: changes after it would be lost. Records that cannot be read do
 * not keep it from the others.
 *
 * Rejects with `ERR_STORAGE_UNAVAILABLE` if one of the stores cannot be reached. With `removeGone`,
 * also if the old store has no records at all, and the new one has: a disk may not be mounted.
 * With `removeGone`, rejects with `ERR_ID_TAKEN` and removes nothing if the new store has a newer
 * record than the old one, because that shows that servers use it already.
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
  const rules = { from: beStore, to: beStore, removeGone: must.beBoolean, ...migrationRules }
  const checked = checkOptions(owner, options, rules)
  const { after, removeGone = false, signal = neverAborts, ...parts } = checked
  const from = slotsOf(owner, 'from', parts.from, 'infoStore', 'infoLister')
  const to = removeGone
    ? slotsOf(owner, 'to', parts.to, 'infoStore', 'infoLister')
    : slotsOf(owner, 'to', parts.to, 'infoStore')
  const stores: Stores = { from: from.infoStore, to: to.infoStore, signal }
  return withOpen(owner, [from, to], signal, async function* () {
    let newer: Migrated | undefined
    const copies = inOrder(idsOf(from.infoLister, after, signal), signal, (id) =>
      outcomeOf(id, signal, () => copyRecord(id, stores)),
    )
    for await (const migrated of copies) {
      if (isTusError(migrated.error, 'ERR_ID_TAKEN')) newer ??= migrated
      yield migrated
    }
    if (!removeGone) return
    if (newer !== undefined) throw newer.error
    if ((await isEmpty(from.infoLister, signal)) && !(await isEmpty(to.infoLister!, signal))) {
      throw lacksRecords()
    }
    const removals = inOrder(idsOf(to.infoLister!, after, signal), signal, (id) =>
      outcomeOf(id, signal, () => removeIfGone(id, stores)),
    )
    for await (const migrated of removals) if (migrated.outcome !== 'present') yield migrated
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

interface Stores {
  readonly from: InfoStore
  readonly to: InfoStore
  readonly signal: AbortSignal
}

async function copyRecord(id: string, { from, to, signal }: Stores) {
  const record = await from.get(id, { signal })
  if (record === undefined) return 'absent'
  const isNew = await create(record, to, signal)
  const copy = await to.get(id, { signal })
  if (copy !== undefined && isSame(copy, record)) return isNew ? 'copied' : 'present'
  const isOlder = copy === undefined || isBefore(copy, record)
  if (isNew || !isOlder) throw differs()
  // The revisions in between are not known, so it cannot be updated.
  await to.delete(id, { signal })
  await create(record, to, signal)
  const next = await to.get(id, { signal })
  if (next !== undefined && isSame(next, record)) return 'updated'
  throw differs()
}

/** Stores a record. Returns whether there was none. */
async function create(record: Upload, to: InfoStore, signal: AbortSignal): Promise<boolean> {
  try {
    await to.create(record, { signal })
    return true
  } catch (error) {
    if (isTusError(error, 'ERR_ID_TAKEN')) return false
    throw error
  }
}

async function removeIfGone(id: string, { from, to, signal }: Stores) {
  if ((await from.get(id, { signal })) !== undefined) return 'present'
  await to.delete(id, { signal })
  return 'removed'
}

async function isEmpty(infoLister: InfoLister, signal: AbortSignal): Promise<boolean> {
  for await (const _ of infoLister.ids({ signal })) return false
  return true
}

function lacksRecords(): TusError {
  const cause = new Error('The old store has no records, so nothing was removed')
  return new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
}

function differs(): TusError {
  const cause = new Error('The new store has another record of this upload')
  return new TusError('ERR_ID_TAKEN', { cause })
}

/** Whether a record is an earlier one. An id can be used again after its upload was removed. */
function isBefore(a: Upload, b: Upload): boolean {
  if (a.createdAt !== b.createdAt) return Date.parse(a.createdAt) < Date.parse(b.createdAt)
  return a.revision < b.revision
}

/** Compares records as text has them: a store may return their members in another order. */
function isSame(a: Upload, b: Upload): boolean {
  const [left, right] = [a, b].map((upload) => parseUpload(serializeUpload(upload)))
  return isDeepStrictEqual(left, right)
}
