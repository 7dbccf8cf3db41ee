import type { ReadOptions } from '../../capabilities/call-options.js'
import type { Stat } from '../../capabilities/data-store.js'
import { TusError } from '../../errors.js'
import { isExpired, type Upload } from '../../upload.js'
import { isoTime, type Engine } from '../engine.js'
import type { Holder } from '../lock/holder.js'
import { statUpload } from '../stores/stat-upload.js'
import { isComplete } from './completion.js'
import { isReferenced } from './references.js'
import { transition } from './transition.js'

/**
 * Throws `ERR_UPLOAD_GONE` when an upload has expired, even if it is not removed yet
 * (Expiration). An upload that is complete but not recorded as finished has time until a request or
 * the sweep finishes it.
 */
export async function refuseExpired(
  engine: Engine,
  upload: Upload,
  offset: number | undefined,
): Promise<void> {
  if (upload.state.kind !== 'finished' && isComplete(upload, offset)) return
  if (!isExpired(upload, Date.now()) || (await isKept(engine, upload))) return
  throw new TusError('ERR_UPLOAD_GONE')
}

/**
 * Whether {@link refuseExpired} would throw, for callers without the offset. Asks the store only if
 * that matters.
 */
export async function hasExpired(
  engine: Engine,
  upload: Upload,
  source?: ReadOptions,
): Promise<boolean> {
  const { kind } = upload.state
  if (kind === 'gone' || kind === 'rejected' || !isExpired(upload, Date.now())) return false
  if (await isKept(engine, upload)) return false
  if (kind === 'finished' || upload.concat?.kind === 'final') return true
  return !isComplete(upload, (await statUpload(engine, upload, source)).offset)
}

/**
 * Whether an upload stays although it has expired. A finished one stays unless finished uploads
 * expire, a partial upload while a final one waits for it, and a final one while a partial has time
 * to receive data.
 */
export async function isKept(engine: Engine, upload: Upload): Promise<boolean> {
  const isFinished = upload.state.kind === 'finished'
  if (isFinished && engine.settings.finishedAfter === undefined) return true
  if (isFinished || upload.concat?.kind !== 'final') return isReferenced(engine, upload)
  for (const id of new Set(upload.concat.partials)) {
    const partial = await engine.stores.infoStore.get(id)
    if (partial?.state.kind !== 'open' || partial.expiresAt === undefined) continue
    if (!isExpired(partial, Date.now())) return true
  }
  return false
}

/**
 * Gives an upload that receives data its full time again, once half of it has passed. Called
 * before and after a chunk, so that an upload in progress does not expire.
 */
export async function postponeExpiry(engine: Engine, holder: Holder, stored: Stat): Promise<void> {
  const { expireAfter } = engine.settings
  const { expiresAt } = holder.upload
  if (expireAfter === undefined || expiresAt === undefined) return
  if (isComplete(holder.upload, stored.offset)) return
  if (Date.parse(expiresAt) - Date.now() > expireAfter / 2) return
  await transition(engine, holder, { expiresAt: isoTime(expireAfter) })
}
