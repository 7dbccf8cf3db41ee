import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import { update } from './transition.js'

/**
 * Notes in a partial upload that a final one needs it. Written without the lock of the partial, so that a request that is filling it is left alone; the revision of the
 * record guards it.
 */
export async function addReference(
  engine: Engine,
  partial: Upload,
  finalId: string,
): Promise<void> {
  await update(engine, partial, (current) => {
    const finals = current.concat?.kind === 'partial' ? current.concat.finals : []
    return { concat: { kind: 'partial', finals: [...finals, finalId] } }
  })
}

/** Whether a final upload still needs this one. */
export async function isReferenced(engine: Engine, upload: Upload): Promise<boolean> {
  if (upload.concat?.kind !== 'partial') return false
  for (const id of upload.concat.finals) {
    if ((await engine.stores.infoStore.get(id))?.state.kind === 'open') return true
  }
  return false
}
