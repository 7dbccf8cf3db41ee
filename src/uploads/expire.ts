import type { Stat } from '../capabilities/data-store.js'
import { cooperative } from '../cooperative.js'
import { isTusError } from '../errors.js'
import { isExpired } from '../upload.js'
import { finishIfDue } from './finish/finish-if-due.js'
import { concatenateInTime } from './finish/concatenate.js'
import { isKept } from './record/references.js'
import { isoTime, type Engine } from './engine.js'
import { noExchange } from './exchange.js'
import { withUploadLock, type Holder } from './lock/holder.js'
import { isRejection } from './hooks/hook-response.js'
import { isComplete, isFinished, stat } from './stores/stat-upload.js'
import { remove, removeData } from './terminate.js'
import { transition } from './record/transition.js'

/**
 * Removes uploads whose time is over, completes removals that were cut off, and finishes what is complete
 * but was not finished. Skips uploads that are in use. Returns how many were removed.
 */
export async function removeExpired(engine: Engine, signal: AbortSignal): Promise<number> {
  let removed = 0
  const { expiryIndex } = engine.stores
  if (expiryIndex === undefined) return removed
  for await (const id of cooperative(expiryIndex.expired(new Date(), { signal }))) {
    const work = async (holder: Holder) => {
      if (await expire(engine, holder, id)) removed++
    }
    await unlessInUse(engine, id, work)
  }
  return removed
}

/**
 * Finishes every upload that is complete but not recorded as finished, because the server was killed or a finisher or hook
 * failed, and its client did not return. For the start of a server. Returns how many were finished.
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
    await unlessInUse(engine, id, async (holder) => {
      const current = await infoStore.get(id)
      if (current === undefined) return
      holder.upload = current
      if (await finishIfComplete(engine, holder)) finished++
    })
  }
  return finished
}

/** Runs under the lock if nobody has it. A failure concerns this upload only: it is logged. */
async function unlessInUse(
  engine: Engine,
  id: string,
  operation: (holder: Holder) => Promise<void>,
): Promise<void> {
  if (engine.holders.has(id)) return
  const waiting = AbortSignal.timeout(engine.settings.settleTimeout)
  try {
    if ((await engine.stores.locker.settle(id, { signal: waiting })) === 'held') return
    await withUploadLock(engine, id, operation)
  } catch (error) {
    if (waiting.aborted && error === waiting.reason) return
    if (isRejection(error)) return
    engine.log.error('The sweep failed for an upload', { uploadId: id, error })
  }
}

/** Whether it was removed. */
async function expire(engine: Engine, holder: Holder, id: string): Promise<boolean> {
  const upload = await engine.stores.infoStore.get(id)
  if (upload === undefined || !isExpired(upload, Date.now())) return false
  holder.upload = upload
  if (upload.state.kind === 'open' && (await finishIfComplete(engine, holder))) return false
  const isAlive = upload.state.kind === 'open' || upload.state.kind === 'finished'
  if (isAlive && (await isKept(engine, upload))) return false
  if (engine.stores.terminator === undefined) return false
  if (isAlive) {
    const state = { kind: 'gone', at: isoTime(0), cause: 'expired' } as const
    await removeData(engine, holder, { state })
    await engine.stores.infoStore.delete(id)
  } else {
    await remove(engine, holder)
  }
  return true
}

/** An upload that is complete never expires: it is recorded as finished, once, so that it is not looked at again. */
async function finishIfComplete(engine: Engine, holder: Holder): Promise<boolean> {
  if (holder.upload.concat?.kind === 'final') {
    await concatenateInTime(engine, holder, noExchange)
    return holder.upload.state.kind === 'finished'
  }
  const stored = await statIfThere(engine, holder)
  if (stored === undefined || !isComplete(holder.upload, stored.offset)) return false
  if (isFinished(holder.upload, stored.offset)) {
    const state = { kind: 'finished', at: isoTime(0) } as const
    await transition(engine, holder, { state, expiresAt: undefined })
  } else {
    await finishIfDue(engine, holder, stored, noExchange)
  }
  return true
}

async function statIfThere(engine: Engine, { upload, signal }: Holder): Promise<Stat | undefined> {
  try {
    return await stat(engine, upload, { signal })
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw error
  }
}
