import type { DataStore } from '../capabilities/data-store.js'
import type { InfoLister } from '../capabilities/info-lister.js'
import type { InfoStore } from '../capabilities/info-store.js'
import { cooperative } from '../cooperative.js'
import { isTusError } from '../errors.js'
import type { Logger } from '../logger.js'
import { neverAborts } from '../never-aborts.js'
import type { Upload } from '../upload.js'
import type { SpaceCounter } from './space-counter.js'

/** The uploads to count, and the counter. */
export interface CountOptions {
  readonly dataStore: DataStore
  readonly infoStore: InfoStore
  readonly infoLister: InfoLister
  /** Whether unfinished uploads use the length that they declared. */
  readonly reserve: boolean
  readonly counter: SpaceCounter
  readonly logger: Logger
}

/** The number of uploads that are read at once and held in memory. */
const batchSize = 32

/**
 * Notes the space of every upload that the counter does not know yet. Uploads can come and go
 * meanwhile.
 *
 * A single upload that cannot be read must not stop the count. If its record is readable, its
 * declared length counts. If no upload can be read, the storage is at fault, and the count fails.
 */
export async function countUploads(options: CountOptions): Promise<void> {
  const ids: string[] = []
  const failures: Failure[] = []
  let counted = 0
  const countBatch = async () => {
    const outcomes = await Promise.all(ids.splice(0).map((id) => countUpload(options, id)))
    for (const failure of outcomes) {
      if (failure === undefined) counted++
      else failures.push(failure)
    }
  }
  for await (const id of cooperative(options.infoLister.ids({ signal: neverAborts }))) {
    if (ids.push(id) === batchSize) await countBatch()
  }
  await countBatch()
  if (counted === 0 && failures[0] !== undefined) throw failures[0].error
  for (const { id, length } of failures) {
    if (length !== undefined) await options.counter.note(id, length)
  }
}

/** An upload that cannot be read, with its length if that is known. */
interface Failure {
  readonly id: string
  readonly length: number | undefined
  readonly error: unknown
}

/** Counts an upload. Logs and returns the failure if it cannot be read. */
async function countUpload(
  { dataStore, infoStore, reserve, counter, logger }: CountOptions,
  id: string,
): Promise<Failure | undefined> {
  let upload: Upload | undefined
  let offset: number | undefined
  try {
    upload = await infoStore.get(id, { signal: neverAborts })
    if (upload === undefined) return undefined
    offset = await offsetIfThere(dataStore, upload)
  } catch (error) {
    logger.error('The space that an upload uses cannot be counted', { uploadId: id, error })
    return { id, length: upload?.length, error }
  }
  if (offset === undefined) return undefined
  const promised = reserve && upload.state.kind === 'open' ? (upload.length ?? 0) : 0
  const added = await counter.note(id, Math.max(offset, promised))
  // If it was removed meanwhile, its space was released before it was noted.
  if (added && (await offsetIfThere(dataStore, upload)) === undefined) {
    await counter.reserve(id, 0, 0)
  }
  return undefined
}

async function offsetIfThere(dataStore: DataStore, upload: Upload): Promise<number | undefined> {
  try {
    return (await dataStore.stat(upload, { signal: neverAborts })).offset
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw error
  }
}
