import type { NewHome } from './new-home.js'
import { checkIds, existing, notPutTogether, recordOf, writeRecord } from './new-record.js'
import type { OldBucket } from './old-bucket.js'
import type { Adopted } from './old-source.js'
import { NotAdoptable, type OldObject } from './old-upload.js'

/** Writes the record of an upload in a bucket. */
export async function adoptObject(
  old: OldObject,
  bucket: OldBucket,
  home: NewHome,
): Promise<Adopted> {
  const { id, key, role } = old
  const { dataStore, owners, settings, signal } = home
  if (old.info !== `${key}.info`) home.named.add(key)
  checkIds(old)
  const known = () => existing(old, { key }, true, home)
  // Before the record, so that the tail is not replaced if it changes after an adoption by others.
  const [found] = await Promise.allSettled([bucket.find(old, settings.maxSize)])
  const record = await known()
  if (record !== undefined) {
    const { offset } = await dataStore.stat(record, { signal })
    return { outcome: 'present', upload: record, offset }
  }
  if (found.status === 'rejected') throw found.reason
  const { storage, offset, finishedAt, maxSize, prepare } = found.value
  const isFinished = finishedAt !== undefined
  if (role?.kind === 'final' && !isFinished) throw new NotAdoptable(notPutTogether)
  await owners.check(key, id, signal)
  const facts = { isFinished, maxSize, changedAt: finishedAt ?? old.changedAt! }
  const upload = { ...recordOf(old, facts, home), storage }
  owners.note(key, id)
  if (home.isTrial) return { outcome: 'adopted', upload, offset }
  await prepare(upload)
  return writeRecord(upload, offset, home, known)
}
