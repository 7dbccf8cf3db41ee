import { must } from '../check-options.js'
import { TusError } from '../errors.js'
import type { PreTerminateVerdict } from '../hooks.js'
import type { RecordedResponse, Upload } from '../upload.js'
import { inBackground, isoTime, type Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { beRejection, callHook } from './hooks/call-hook.js'
import { hookEvent } from './hooks/hook-event.js'
import { finalResponse, hookRejection } from './hooks/hook-response.js'
import { authorize } from './hooks/authorize.js'
import type { Holder } from './lock/holder.js'
import { hasExpired } from './record/expiry.js'
import { loadAny } from './record/load.js'
import { isReferenced } from './record/references.js'
import { completeRemoval, removeData } from './record/removal.js'
import { withRecord } from './record/with-upload.js'
import { withoutSecret } from './record/without-secret.js'
import { statIfThere } from './stores/stat-upload.js'

/**
 * Removes an upload, finished or not. Ends a request that is writing it. Returns the response that
 * the hooks chose.
 */
export async function terminate(
  engine: Engine,
  id: string,
  exchange: Exchange,
): Promise<RecordedResponse | undefined> {
  if (engine.stores.terminator === undefined) throw new TusError('ERR_METHOD_NOT_ALLOWED')
  await authorize(engine, 'terminate', await loadAny(engine, id), exchange)
  return withRecord(engine, id, async (holder) => {
    if (holder.upload.state.kind === 'gone') {
      // An earlier removal was cut off.
      await completeRemoval(engine, holder)
      throw new TusError('ERR_UPLOAD_GONE')
    }
    if (await hasExpired(engine, holder.upload, holder)) throw new TusError('ERR_UPLOAD_GONE')
    if (await isReferenced(engine, holder.upload)) throw new TusError('ERR_UPLOAD_REFERENCED')
    const offset = await storedOffset(engine, holder.upload)
    const response = await askPreTerminate(engine, holder, offset, exchange)
    const state = { kind: 'gone', at: isoTime(0), cause: 'terminated' } as const
    const change = { state, expiresAt: isoTime(0) }
    const fact = { type: 'post-terminate', offset } as const
    await removeData(engine, holder, change, [fact], exchange)
    // The record outlives the post-terminate hook, so that a removal that is cut off can be found.
    const forgotten = engine.events.add(id, () => engine.stores.infoStore.delete(id))
    holder.keep(forgotten)
    inBackground(engine, 'The removal of a record', forgotten)
    return response
  })
}

/** Returns how much is stored. Hooks want to know, and nobody else does. */
async function storedOffset(engine: Engine, upload: Upload): Promise<number> {
  const { preTerminate, postTerminate } = engine.hooks
  if (preTerminate.length + postTerminate.length === 0) return 0
  return (await statIfThere(engine, upload))?.offset ?? 0
}

async function askPreTerminate(
  engine: Engine,
  holder: Holder,
  offset: number,
  { request }: Exchange,
): Promise<RecordedResponse | undefined> {
  const upload = withoutSecret(holder.upload)
  const context = { event: hookEvent(upload.id, 'pre-terminate'), upload, offset, request }
  const rules = { reject: beRejection, response: must.beObject }
  let response: RecordedResponse | undefined
  for (const hook of engine.hooks.preTerminate) {
    const verdict = await callHook<PreTerminateVerdict, typeof context>(
      engine.hookLimit,
      rules,
      context,
      hook,
    )
    if (verdict.reject) throw hookRejection('ERR_REJECTED', verdict.reject)
    if (verdict.response) response = finalResponse(verdict.response, {}, 299)
  }
  return response
}
