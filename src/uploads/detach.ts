import { TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import { isFinished } from './record/completion.js'
import { load } from './record/load.js'
import { isReferenced } from './record/references.js'
import { withUpload } from './record/with-upload.js'
import { withoutSecret } from './record/without-secret.js'
import { statUpload } from './stores/stat-upload.js'

/**
 * Deletes the record of a finished upload and leaves the data to the application. Returns the
 * record.
 */
export async function detach(engine: Engine, id: string): Promise<Upload> {
  // A termination waits for post-finish hooks under the lock, so a hook that waited for the lock
  // would wait for itself.
  await load(engine, id)
  return withUpload(engine, id, async (holder) => {
    const { upload } = holder
    if (upload.state.kind !== 'finished') {
      const { offset } = await statUpload(engine, upload, holder)
      if (!isFinished(upload, offset)) throw new TusError('ERR_UPLOAD_NOT_FINISHED')
    }
    if (await isReferenced(engine, upload)) throw new TusError('ERR_UPLOAD_REFERENCED')
    if (!holder.lock.held()) throw new TusError('ERR_LOCK_LOST')
    await engine.stores.infoStore.delete(id)
    return withoutSecret(upload)
  })
}
