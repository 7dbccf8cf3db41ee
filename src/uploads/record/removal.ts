import { isTusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import { isoTime, type Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import type { Fact } from '../hooks/listeners.js'
import { notify } from '../hooks/notify.js'
import type { Holder } from '../lock/holder.js'
import { transition, writeOptions, type Change } from './transition.js'

/**
 * Records the tombstone, then removes the data. When storage is too full for the tombstone, the
 * data goes first: deleting must work on a full disk. A crash in between leaves a record without
 * data, which is 410 until expiry removes it.
 */
export async function removeData(
  engine: Engine,
  holder: Holder,
  tombstone: Change & { readonly state: Upload['state'] },
  facts: readonly Fact[] = [],
  exchange?: Exchange,
): Promise<void> {
  const remove = () =>
    engine.stores.terminator!.terminate(holder.upload, writeOptions(engine, holder))
  const record = () => transition(engine, holder, tombstone, facts, exchange)
  try {
    await record()
  } catch (error) {
    if (!isFull(error)) throw error
    await remove()
    // There may be space now. If not, the record goes without a tombstone.
    await record().catch((again: unknown) => {
      if (!isFull(again)) throw again
      const upload = { ...holder.upload, state: tombstone.state }
      for (const fact of facts) notify(engine, fact, upload, exchange)
    })
    return
  }
  await remove()
}

function isFull(error: unknown): boolean {
  return isTusError(error, 'ERR_STORAGE_FULL')
}

/** Completes a removal: removes the data, then the record. */
export async function completeRemoval(engine: Engine, holder: Holder): Promise<void> {
  await engine.stores.terminator!.terminate(holder.upload, writeOptions(engine, holder))
  await engine.stores.infoStore.delete(holder.upload.id)
}

/**
 * Ends an upload that received more than it may. Its record remains for a while, to say that it is
 * gone.
 */
export async function invalidate(engine: Engine, holder: Holder): Promise<void> {
  const state = { kind: 'gone', at: isoTime(0), cause: 'overrun' } as const
  const change = { state, expiresAt: isoTime(engine.settings.verdictRetention) }
  if (engine.stores.terminator === undefined) return transition(engine, holder, change)
  await removeData(engine, holder, change)
}
