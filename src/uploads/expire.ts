import { cooperative } from '../cooperative.js'
import { isExpired, type Upload } from '../upload.js'
import { isoTime, type Engine } from './engine.js'
import { noExchange } from './exchange.js'
import { concatenateInTime } from './finish/concatenate.js'
import { finishIfDue } from './finish/finish-if-due.js'
import type { Holder } from './lock/holder.js'
import { settleLock } from './lock/settle-lock.js'
import { isComplete, isFinished } from './record/completion.js'
import { isKept } from './record/expiry.js'
import { isRejection } from './record/rejection.js'
import { completeRemoval, removeData } from './record/removal.js'
import { transition } from './record/transition.js'
import { withRecordIfThere } from './record/with-upload.js'
import { statIfThere } from './stores/stat-upload.js'

/**
 * Removes uploads that have expired, completes removals that were cut off, and finishes uploads
 * that are complete but were not finished. Skips uploads that are in use. Returns how many were
 * removed.
 */
export async function removeExpired(engine: Engine, signal: AbortSignal): Promise<number> {
  let removed = 0
  const { expiryIndex } = engine.stores
  if (expiryIndex === undefined) return removed
  for await (const id of cooperative(expiryIndex.expired(new Date(), { signal }))) {
    await unlessInUse(engine, id, async (holder) => {
      if (await expire(engine, holder)) removed++
    })
  }
  return removed
}

/**
 * Finishes every upload that is complete but not recorded as finished, because the server was
 * killed or a finisher or hook failed, and the client did not return. Meant for the start of a
 * server. Returns how many were finished.
 */
export async function finishPending(engine: Engine, signal: AbortSignal): Promise<number> {
  let finished = 0
  const { infoLister, infoStore } = engine.stores
  if (infoLister === undefined) return finished
  for await (const id of cooperative(infoLister.ids({ signal }))) {
    const upload = await infoStore.get(id).catch((error: unknown) => {
      engine.log.error('A record cannot be read', { uploadId: id, error })
    })
    if (upload?.state.kind !== 'open' || upload.finish === 'implied') continue
    // A request that takes the lock before the sweep does would lose its connection.
    if (!(await mayBeDue(engine, upload))) continue
    await unlessInUse(engine, id, async (holder) => {
      if (await finishIfComplete(engine, holder)) finished++
    })
  }
  return finished
}

/** Whether an upload is complete, or waits for others. Logs a failure. */
async function mayBeDue(engine: Engine, upload: Upload): Promise<boolean> {
  if (upload.concat?.kind === 'final') return true
  try {
    const stored = await statIfThere(engine, upload)
    return stored !== undefined && isComplete(upload, stored.offset)
  } catch (error) {
    engine.log.error('The sweep failed for an upload', { uploadId: upload.id, error })
    return false
  }
}

/**
 * Runs `operation` under the lock, unless another holder has it. Logs a failure, which concerns
 * this upload only.
 */
async function unlessInUse(
  engine: Engine,
  id: string,
  operation: (holder: Holder) => Promise<void>,
): Promise<void> {
  if (engine.holders.has(id)) return
  try {
    if ((await settleLock(engine, id, engine.settings.settleTimeout)) !== 'free') return
    await withRecordIfThere(engine, id, operation)
  } catch (error) {
    if (isRejection(error)) return
    engine.log.error('The sweep failed for an upload', { uploadId: id, error })
  }
}

/** Returns whether the upload was removed. */
async function expire(engine: Engine, holder: Holder): Promise<boolean> {
  const { upload } = holder
  if (!isExpired(upload, Date.now())) return false
  if (upload.state.kind === 'open' && (await finishIfComplete(engine, holder))) return false
  const isAlive = upload.state.kind === 'open' || upload.state.kind === 'finished'
  if (isAlive && (await isKept(engine, upload))) return false
  if (engine.stores.terminator === undefined) return false
  if (isAlive) {
    const state = { kind: 'gone', at: isoTime(0), cause: 'expired' } as const
    await removeData(engine, holder, { state })
    await engine.stores.infoStore.delete(upload.id)
  } else {
    await completeRemoval(engine, holder)
  }
  return true
}

/**
 * Finishes an upload that is complete, because it never expires. Records that it is finished, so
 * that the sweep does not visit it again.
 */
async function finishIfComplete(engine: Engine, holder: Holder): Promise<boolean> {
  if (holder.upload.concat?.kind === 'final') {
    await concatenateInTime(engine, holder, noExchange)
    return holder.upload.state.kind === 'finished'
  }
  const stored = await statIfThere(engine, holder.upload, holder)
  if (stored === undefined || !isComplete(holder.upload, stored.offset)) return false
  if (!isFinished(holder.upload, stored.offset)) {
    return finishIfDue(engine, holder, stored, noExchange)
  }
  const state = { kind: 'finished', at: isoTime(0) } as const
  await transition(engine, holder, { state, expiresAt: undefined })
  return true
}
