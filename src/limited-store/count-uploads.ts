import type { DataStore } from '../capabilities/data-store.js'
import type { InfoLister } from '../capabilities/info-lister.js'
import type { InfoStore } from '../capabilities/info-store.js'
import { isTusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { SpaceCounter } from './space-counter.js'

/** The stores whose uploads are counted. */
export interface CountedStores {
  readonly dataStore: DataStore
  readonly infoStore: InfoStore
  readonly infoLister: InfoLister
}

/** Uploads that are looked at at once, and held in memory. */
const batchSize = 32

const never = new AbortController().signal

/** Notes what every upload takes that the counter does not know yet. Uploads may come and go meanwhile. */
export async function countUploads(stores: CountedStores, counter: SpaceCounter): Promise<void> {
  const ids: string[] = []
  const countBatch = () => Promise.all(ids.splice(0).map((id) => countUpload(stores, counter, id)))
  for await (const id of stores.infoLister.ids({ signal: never })) {
    if (ids.push(id) === batchSize) await countBatch()
  }
  await countBatch()
}

async function countUpload(
  stores: CountedStores,
  counter: SpaceCounter,
  id: string,
): Promise<void> {
  const upload = await readable(stores.infoStore.get(id, { signal: never }))
  if (upload === undefined) return
  const offset = await storedOffset(stores.dataStore, upload)
  if (offset === undefined) return
  const promised = upload.state.kind === 'open' ? (upload.length ?? 0) : 0
  const added = await counter.note(id, Math.max(offset, promised))
  // If it was removed meanwhile, its room was given back before it was noted.
  if (added && (await storedOffset(stores.dataStore, upload)) === undefined) {
    await counter.claim(id, 0, 0)
  }
}

/** What a damaged record stood for cannot be found, and must not stand in the way of all others. */
async function readable(record: Promise<Upload | undefined>): Promise<Upload | undefined> {
  try {
    return await record
  } catch (error) {
    if (isTusError(error, 'ERR_INFO_CORRUPT')) return undefined
    throw error
  }
}

async function storedOffset(dataStore: DataStore, upload: Upload): Promise<number | undefined> {
  try {
    return (await dataStore.stat(upload, { signal: never })).offset
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw error
  }
}
