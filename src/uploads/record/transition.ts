import type { AppendOptions, CreateOptions } from '../../capabilities/call-options.js'
import { isTusError, TusError } from '../../errors.js'
import type { RecordedResponse, Upload } from '../../upload.js'
import { isoTime, type Engine } from '../engine.js'
import { noExchange, type Exchange } from '../exchange.js'
import type { Fact } from '../hooks/listeners.js'
import { announce, confirm, notify, withdraw } from '../hooks/notify.js'
import type { Holder } from '../lock/holder.js'
import { rejectionError } from './rejection.js'

/** The changes of a record; `undefined` removes a member. */
export type Change = {
  readonly [Key in 'length' | 'completes' | 'expiresAt' | 'state' | 'concat' | 'storage']?:
    Upload[Key] | undefined
}

/**
 * Changes a record, under the lock of its upload, and queues the events that report the facts. No
 * record changes in any other way. Events that have to outlive a crash are stored before the record
 * is.
 */
export async function transition(
  engine: Engine,
  holder: Holder,
  change: Change,
  facts: readonly Fact[] = [],
  exchange: Exchange = noExchange,
): Promise<void> {
  const { kind } = holder.upload.state
  const { deliveries } = engine
  const entries =
    deliveries && (await announce(engine, facts, apply(holder.upload, change), exchange))
  if (deliveries !== undefined && change.state?.kind === 'gone' && kind !== 'finished') {
    // An attempt to finish it may have failed after that was announced.
    await withdraw(engine, { type: 'post-finish', offset: 0 }, holder.upload)
  }
  const changed = await update(engine, holder.upload, (current) => {
    if (!holder.lock.held()) throw new TusError('ERR_LOCK_LOST')
    // No change of the state is made without the lock.
    if (current.state.kind !== kind) throw new TusError('ERR_INFO_CONFLICT')
    return change
  }).catch((error: unknown) => {
    // It may have been changed all the same.
    deliveries?.doubt(holder.upload.id, facts)
    throw error
  })
  holder.remember(changed)
  if (entries !== undefined) await confirm(engine, entries)
  for (const fact of facts) notify(engine, fact, changed, exchange)
}

/** Creates the record of an upload. */
export async function createRecord(engine: Engine, holder: Holder, upload: Upload): Promise<void> {
  await engine.stores.infoStore.create(upload)
  holder.remember(upload)
}

/** Records a rejection of an upload, permanently, and throws it. */
export async function reject(
  engine: Engine,
  holder: Holder,
  response: RecordedResponse,
): Promise<never> {
  const state = { kind: 'rejected', at: isoTime(0), response } as const
  await transition(engine, holder, { state, expiresAt: isoTime(engine.settings.verdictRetention) })
  throw rejectionError(response)
}

/**
 * Creates the options for calls of stores that change data. They have the same shape for every
 * operation.
 */
export function writeOptions(
  engine: Engine,
  holder: Holder,
  incoming: CreateOptions['incoming'] = 'nothing',
): CreateOptions & AppendOptions {
  return {
    signal: holder.signal,
    fence: holder.lock,
    incoming,
    saveSecret: (secret) =>
      transition(engine, holder, { storage: { ...holder.upload.storage, secret } }),
    progress: (offset) => holder.advance(offset),
  }
}

/**
 * Writes the changed record. Only one change is made without the lock: a final upload adds itself
 * to its partials. If the record has changed in between, the change is applied again to its new
 * version; `change` throws when that is impossible.
 */
export async function update(
  engine: Engine,
  upload: Upload,
  change: (current: Upload) => Change,
): Promise<Upload> {
  let current = upload
  for (;;) {
    const next = apply(current, change(current))
    try {
      await engine.stores.infoStore.update(next)
      return next
    } catch (error) {
      if (!isTusError(error, 'ERR_INFO_CONFLICT')) throw error
      const stored = await engine.stores.infoStore.get(upload.id)
      if (stored === undefined) throw new TusError('ERR_UPLOAD_GONE', { cause: error })
      if (stored.revision < next.revision) throw error
      current = stored
    }
  }
}

function apply(upload: Upload, change: Change): Upload {
  const next = { ...upload, ...change, revision: upload.revision + 1 }
  for (const key of Object.keys(change) as (keyof Change)[]) {
    if (change[key] === undefined) delete next[key]
  }
  return next as Upload
}
