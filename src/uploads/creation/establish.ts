import { isTusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import { announce, confirm, notify } from '../hooks/notify.js'
import type { Holder } from '../lock/holder.js'
import { createRecord, writeOptions } from '../record/transition.js'
import { statIfThere } from '../stores/stat-upload.js'
import type { CreateRequest } from './create-request.js'

/**
 * Creates the record, then the data, so that all data on the disk can be found from a record.
 * `refer` notes the upload in the records of others. If a step after the record fails, the creation
 * is undone.
 */
export async function establish(
  engine: Engine,
  holder: Holder,
  upload: Upload,
  { body, callbacks, exchange }: Pick<CreateRequest, 'body' | 'callbacks' | 'exchange'>,
  refer?: () => Promise<void>,
): Promise<void> {
  const fact = { type: 'post-create', offset: 0 } as const
  const entries = engine.deliveries && (await announce(engine, [fact], upload, exchange))
  try {
    await createRecord(engine, holder, upload)
  } catch (error) {
    engine.deliveries?.doubt(upload.id, [fact])
    throw error
  }
  const size = body === undefined ? 0 : body.size
  const incoming =
    size === 0 ? 'nothing' : size !== undefined && size === upload.length ? 'everything' : 'some'
  try {
    await engine.stores.dataStore.create(upload, writeOptions(engine, holder, incoming))
    await refer?.()
  } catch (error) {
    await withdraw(engine, holder, error)
    engine.deliveries?.doubt(upload.id, [fact])
    throw error
  }
  if (entries !== undefined) await confirm(engine, entries)
  callbacks.onUpload?.(holder.upload, 0)
  notify(engine, fact, holder.upload, exchange)
}

/**
 * Undoes a creation that failed after its record was written. If that fails too, the upload is left
 * to expire.
 */
async function withdraw(engine: Engine, holder: Holder, error: unknown): Promise<void> {
  const { terminator, infoStore } = engine.stores
  // A call cannot be undone while the store is still working on it.
  if (!holder.lock.held() || holder.keeps) return
  try {
    // Data that was there before is not this upload's, whatever error the store has thrown.
    const taken =
      isTusError(error, 'ERR_DATA_EXISTS') || (await statIfThere(engine, holder.upload))?.offset
    if (!taken) {
      await terminator?.terminate(holder.upload, writeOptions(engine, holder))
    }
    await infoStore.delete(holder.upload.id)
  } catch (cause) {
    engine.log.warn('A failed creation could not be undone', {
      uploadId: holder.upload.id,
      error: cause,
    })
  }
}
