import type { Stat } from '../../capabilities/data-store.js'
import { isoTime, type Engine } from '../engine.js'
import type { Holder } from '../lock/holder.js'
import { isComplete } from '../stores/stat-upload.js'
import { transition } from './transition.js'

/**
 * An upload that is worked on does not expire: when half of its time is over, before or after a chunk, it gets the whole
 * time again.
 */
export async function postponeExpiry(engine: Engine, holder: Holder, stored: Stat): Promise<void> {
  const { expireAfter } = engine.settings
  const { expiresAt } = holder.upload
  if (expireAfter === undefined || expiresAt === undefined) return
  if (isComplete(holder.upload, stored.offset)) return
  if (Date.parse(expiresAt) - Date.now() > expireAfter / 2) return
  await transition(engine, holder, { expiresAt: isoTime(expireAfter) })
}
