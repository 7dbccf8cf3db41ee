import { posix } from 'node:path'
import { isTusError, isUploadId, metadataOf } from 'tuskit'
import type { Concat, Upload } from 'tuskit'
import type { NewHome } from './new-home.js'
import type { Adopted } from './old-source.js'
import { NotAdoptable, type OldUpload } from './old-upload.js'

/** The facts about the data of an upload that its record depends on. */
export interface DataFacts {
  readonly isFinished: boolean
  /** The most bytes that it can have. */
  readonly maxSize: number | undefined
  /** The time of the last change of the data. */
  readonly changedAt: Date
}

/** The reason why a final upload without all its bytes is not adopted. */
export const notPutTogether = 'it was not completely put together: its client can do that again'

/** Refuses an upload whose id, or that of one of its parts, tuskit does not use. */
export function checkIds({ id, role }: OldUpload): void {
  if ([id, ...(role?.parts ?? [])].every(isUploadId)) return
  throw new NotAdoptable(
    'an id has 1 to 200 letters, digits, -, ., _, ~ and +, and no dot in front',
  )
}

/** Returns the record that the upload would have if it had been created here, without a place. */
export function recordOf(
  old: OldUpload,
  { isFinished, maxSize, changedAt }: DataFacts,
  home: NewHome,
): Omit<Upload, 'storage'> {
  const { id, length, role } = old
  const { expireAfter, expireFinishedAfter } = home.settings
  const expires = isFinished ? expireFinishedAfter : expireAfter
  return {
    id,
    revision: 1,
    protocol: 'tus',
    ...(length !== undefined && { length }),
    ...(maxSize !== undefined && !isFinished && { maxSize }),
    metadata: metadataIn(old),
    ...(role && { concat: concatOf(role, home) }),
    createdAt: (old.createdAt ?? old.changedAt ?? changedAt).toISOString(),
    // From now on, because nobody knew before that it would expire.
    ...(expires !== undefined && { expiresAt: new Date(Date.now() + expires).toISOString() }),
    // Recorded, so that hooks learn when it is finished, and never learn it twice.
    finish: 'recorded',
    state: isFinished ? { kind: 'finished', at: changedAt.toISOString() } : { kind: 'open' },
  }
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

/**
 * Returns the record that the upload has already. Throws if another upload has its id.
 *
 * @param place - Where its data is, in the terms of the data store.
 * @param mayBeCut - Whether a record that cannot be read may be one whose writing was interrupted.
 */
export async function existing(
  old: OldUpload,
  place: Upload['storage']['at'],
  mayBeCut: boolean,
  { infoStore, signal }: NewHome,
): Promise<Upload | undefined> {
  const record = await infoStore.get(old.id, { signal }).catch((error: unknown) => {
    // A run that was killed may have begun to write it. The info store decides.
    if (isTusError(error, 'ERR_INFO_CORRUPT') && mayBeCut) return undefined
    throw error
  })
  if (record === undefined) return undefined
  const { length, createdAt } = old
  const isOther =
    record.metadata.raw !== metadataIn(old).raw ||
    (createdAt !== undefined && record.createdAt !== createdAt.toISOString()) ||
    (length !== undefined && (record.length ?? length) !== length)
  if (isOther) throw new NotAdoptable('another upload in --info has its id')
  for (const [term, value] of Object.entries(place)) {
    const recorded = record.storage.at[term]
    if (recorded === value) continue
    throw new NotAdoptable(`it was adopted with another --data, where its data is ${recorded}`)
  }
  if (record.length === undefined && length !== undefined) {
    throw new NotAdoptable('its length was declared to the other server after it was adopted')
  }
  return record
}

/**
 * Writes the record of an upload, if the store sees its data in the same way.
 *
 * @param known - Returns the record if another run has written it meanwhile.
 */
export async function writeRecord(
  upload: Upload,
  offset: number,
  { dataStore, infoStore, signal }: NewHome,
  known: () => Promise<Upload | undefined>,
): Promise<Adopted> {
  const seen = await dataStore.stat(upload, { signal })
  if (seen.offset !== offset) throw new NotAdoptable('its data is changing')
  try {
    await infoStore.create(upload, { signal })
  } catch (error) {
    const record = isTusError(error, 'ERR_ID_TAKEN') && (await known())
    if (!record) throw error
    return { outcome: 'present', upload: record, offset }
  }
  return { outcome: 'adopted', upload, offset }
}
