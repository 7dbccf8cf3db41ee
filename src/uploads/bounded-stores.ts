import { setMaxListeners } from 'node:events'
import type { InfoStore } from '../capabilities/info-store.js'
import type { StoreSlots } from '../store-composer.js'
import type { Upload } from '../upload.js'

/** The slots of a composer of which the required ones are known to be filled. */
export type FilledSlots = Readonly<StoreSlots> &
  Required<Pick<StoreSlots, 'dataStore' | 'infoStore' | 'locker'>>

/** An info store whose calls get their signal from here. */
export interface BoundedInfoStore {
  create(upload: Upload): Promise<void>
  get(id: string): Promise<Upload | undefined>
  update(upload: Upload): Promise<void>
  delete(id: string): Promise<void>
}

/** The stores as the operations of this folder call them. */
export type Stores = Omit<FilledSlots, 'infoStore'> & { readonly infoStore: BoundedInfoStore }

const never = new AbortController().signal
setMaxListeners(0, never)
const options = { signal: never } as const

/** The stores of a composer, as the operations of this folder call them. */
export function boundedStores(slots: FilledSlots): Stores {
  return { ...slots, infoStore: boundedInfoStore(slots.infoStore) }
}

function boundedInfoStore(infoStore: InfoStore): BoundedInfoStore {
  return {
    create: (upload) => infoStore.create(upload, options),
    get: (id) => infoStore.get(id, options),
    update: (upload) => infoStore.update(upload, options),
    delete: (id) => infoStore.delete(id, options),
  }
}
