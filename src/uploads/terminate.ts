import { isTusError, TusError } from '../errors.js'
import type { HookType } from '../hooks.js'
import type { Upload } from '../upload.js'
import { callHook, authorize, beRejection, refusal } from './hooks/call-hook.js'
import { isReferenced } from './record/references.js'
import { inBackground, isoTime, type Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { withUploadLock, type Holder } from './lock/holder.js'
import { find } from './record/load.js'
import { hasExpired } from './stores/stat-upload.js'
import { hookEvent, notifyAll, transition, writeOptions, type Change } from './record/transition.js'
import { withoutSecret } from './record/without-secret.js'

/** Removes an upload, finished or not. Whoever is writing it is ended first. */
export async function terminate(engine: Engine, id: string, exchange: Exchange): Promise<void> {
  if (engine.stores.terminator === undefined) throw new TusError('ERR_METHOD_NOT_ALLOWED')
  await authorize(engine, 'terminate', await find(engine, id), exchange)
  await withUploadLock(engine, id, async (holder) => {
    holder.upload = await find(engine, id)
    if (holder.upload.state.kind === 'gone') {
      // Somebody began and did not come to the end.
      await remove(engine, holder)
      throw new TusError('ERR_UPLOAD_GONE')
    }
    if (await hasExpired(engine, holder.upload, holder)) {
      throw new TusError('ERR_UPLOAD_GONE')
    }
    if (await isReferenced(engine, holder.upload)) throw new TusError('ERR_UPLOAD_REFERENCED')
    await askPreTerminate(engine, holder, exchange)
    const state = { kind: 'gone', at: isoTime(0), cause: 'terminated' } as const
    const change = { state, expiresAt: isoTime(0) }
    await removeData(engine, holder, change, ['post-terminate'], exchange)
    // The record outlives the post-terminate hook, so that a removal that is cut off can be found.
    const forgotten = engine.events.add(id, () => engine.stores.infoStore.delete(id))
    holder.keep(forgotten)
    inBackground(engine, 'The removal of a record', forgotten)
  })
}

/** Ends an upload that received what it must not. Its record stays for a while, to say that it is gone. */
export async function invalidate(engine: Engine, holder: Holder): Promise<void> {
  const state = { kind: 'gone', at: isoTime(0), cause: 'overrun' } as const
  const change = { state, expiresAt: isoTime(engine.settings.verdictRetention) }
  if (engine.stores.terminator === undefined) return transition(engine, holder, change)
  await removeData(engine, holder, change)
}

/**
 * Records the tombstone, then removes the data. When there is no room for the tombstone, the data goes first: what frees
 * space must not need any. A crash in between leaves a record without data, which is 410 until expiry removes it.
 */
export async function removeData(
  engine: Engine,
  holder: Holder,
  tombstone: Change & { readonly state: Upload['state'] },
  events: readonly HookType[] = [],
  exchange?: Exchange,
): Promise<void> {
  const remove = () =>
    engine.stores.terminator!.terminate(holder.upload, writeOptions(engine, holder))
  const record = () => transition(engine, holder, tombstone, events, exchange)
  try {
    await record()
  } catch (error) {
    if (!isFull(error)) throw error
    await remove()
    // There may be room now. If not, the record goes without a tombstone.
    await record().catch((again: unknown) => {
      if (!isFull(again)) throw again
      holder.upload = { ...holder.upload, state: tombstone.state }
      notifyAll(engine, holder.upload, events, exchange)
    })
    return
  }
  await remove()
}

function isFull(error: unknown): boolean {
  return isTusError(error, 'ERR_STORAGE_FULL')
}

/** The last two steps of every removal: the data, then the record. */
export async function remove(engine: Engine, holder: Holder): Promise<void> {
  await engine.stores.terminator!.terminate(holder.upload, writeOptions(engine, holder))
  await engine.stores.infoStore.delete(holder.upload.id)
}

async function askPreTerminate(
  engine: Engine,
  holder: Holder,
  { request }: Exchange,
): Promise<void> {
  const { hooks } = engine
  if (hooks.preTerminate === undefined) return
  const upload = withoutSecret(holder.upload)
  const event = hookEvent(upload.id, 'pre-terminate')
  const context = { event, upload, request }
  const verdict = await callHook(engine.hookLimit, { reject: beRejection }, context, (asked) =>
    hooks.preTerminate!(asked),
  )
  if (verdict.reject) throw refusal('ERR_REJECTED', verdict.reject)
}
