import { setImmediate } from 'node:timers/promises'
import { TusError } from '../errors.js'
import type { Concat, Upload } from '../upload.js'
import type { CreateRequest } from './creation/create-request.js'
import { establish } from './creation/establish.js'
import { planUpload } from './creation/plan-upload.js'
import type { Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { concatenateInTime, isFinishedPartial, sumOfLengths } from './finish/concatenate.js'
import { authorize } from './hooks/authorize.js'
import { withUploadLock } from './lock/with-upload-lock.js'
import { hasExpired } from './record/expiry.js'
import { addFinalReference, isLost } from './record/references.js'

/** The creation of a final upload, as a client requests it. */
export interface FinalRequest extends Omit<CreateRequest, 'length' | 'body' | 'concat'> {
  readonly concat: Extract<Concat, { readonly kind: 'final' }>
}

/**
 * Creates a final upload, and concatenates its partials if they are all finished. When that takes
 * longer than `finishTimeout`, it continues after the response.
 */
export async function createFinal(engine: Engine, request: FinalRequest): Promise<Upload> {
  const { exchange, concat } = request
  await authorize(engine, 'create', undefined, exchange)
  if (concat.partials.length > engine.settings.maxPartials) {
    throw new TusError('ERR_TOO_MANY_PARTIALS')
  }
  const partials = await loadPartials(engine, concat.partials, exchange)
  if (!engine.features.has('concatenation-unfinished')) {
    for (const partial of partials.values()) {
      if (!(await isFinishedPartial(engine, partial))) {
        throw new TusError('ERR_PARTIAL_NOT_FINISHED')
      }
    }
  }
  const length = sumOfLengths(concat.partials.map((id) => partials.get(id)!))
  const upload = await planUpload(engine, { ...request, length })
  return withUploadLock(engine, upload.id, async (holder) => {
    await establish(engine, holder, upload, request, async () => {
      for (const partial of partials.values()) {
        // Stores that respond at once would starve the event loop.
        await setImmediate()
        await addFinalReference(engine, partial, upload.id)
      }
    })
    await concatenateInTime(engine, holder, exchange)
    return holder.upload
  })
}

/** Loads and authorizes each distinct partial upload that a request names. */
async function loadPartials(
  engine: Engine,
  ids: readonly string[],
  exchange: Exchange,
): Promise<Map<string, Upload>> {
  const partials = new Map<string, Upload>()
  for (const id of new Set(ids)) {
    const upload = await engine.stores.infoStore.get(id)
    const usable =
      upload?.concat?.kind === 'partial' && !isLost(upload) && !(await hasExpired(engine, upload))
    if (!usable) {
      throw new TusError('ERR_INVALID_CONCAT', {
        message: `Upload-Concat names ${id}, which is not a partial upload`,
      })
    }
    await authorize(engine, 'concatenate', upload, exchange)
    partials.set(id, upload)
  }
  return partials
}
