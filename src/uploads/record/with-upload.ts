import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Holder } from '../lock/holder.js'
import { withUploadLock, type WaitOptions } from '../lock/with-upload-lock.js'
import { load, loadAny } from './load.js'

type Operation<T> = (holder: Holder) => Promise<T>

/**
 * Runs `operation` under the lock of an upload, with its record loaded. Throws as {@link load}
 * does.
 */
export function withUpload<T>(
  engine: Engine,
  id: string,
  operation: Operation<T>,
  wait?: WaitOptions,
): Promise<T> {
  return withLoaded(engine, id, load, operation, wait)
}

/** Runs `operation` as {@link withUpload} does, even if the upload is rejected or gone. */
export function withRecord<T>(engine: Engine, id: string, operation: Operation<T>): Promise<T> {
  return withLoaded(engine, id, loadAny, operation)
}

/** Runs `operation` as {@link withRecord} does, or nothing when there is no record. */
export function withRecordIfThere(
  engine: Engine,
  id: string,
  operation: Operation<void>,
): Promise<void> {
  return withUploadLock(engine, id, async (holder) => {
    const upload = await engine.stores.infoStore.get(id)
    if (upload === undefined) return
    holder.remember(upload)
    await operation(holder)
  })
}

function withLoaded<T>(
  engine: Engine,
  id: string,
  read: (engine: Engine, id: string) => Promise<Upload>,
  operation: Operation<T>,
  wait?: WaitOptions,
): Promise<T> {
  const run = async (holder: Holder) => {
    holder.remember(await read(engine, id))
    return operation(holder)
  }
  return withUploadLock(engine, id, run, wait)
}
