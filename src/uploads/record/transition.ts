import type { AppendOptions, CreateOptions } from '../../capabilities/call-options.js'
import { isTusError, TusError } from '../../errors.js'
import type { HookEvent, HookType } from '../../hooks.js'
import type { FinalResponse, Upload } from '../../upload.js'
import { isoTime, type Engine } from '../engine.js'
import { rejectionError } from '../hooks/hook-response.js'
import { noExchange, type Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { notify } from '../hooks/notify.js'

/** What changes in a record; `undefined` removes a member. */
export type Change = {
  readonly [Key in 'length' | 'completes' | 'expiresAt' | 'state' | 'concat' | 'storage']?:
    Upload[Key] | undefined
}

/**
 * The one way in which a record changes: under the lock of its upload, and together with the events that tell of
 * the change. Events that have to outlive a crash would be stored here, before the record is.
 */
export async function transition(
  engine: Engine,
  holder: Holder,
  change: Change,
  events: readonly HookType[] = [],
  exchange: Exchange = noExchange,
): Promise<void> {
  const { kind } = holder.upload.state
  holder.upload = await update(engine, holder.upload, (current) => {
    if (!holder.lock.held()) throw new TusError('ERR_LOCK_LOST')
    // Without the lock nobody changes the state.
    if (current.state.kind !== kind) throw new TusError('ERR_INFO_CONFLICT')
    return change
  })
  notifyAll(engine, holder.upload, events, exchange)
}

/** Tells the hooks of what has happened to an upload. */
export function notifyAll(
  engine: Engine,
  upload: Upload,
  events: readonly HookType[],
  exchange: Exchange = noExchange,
): void {
  for (const type of events) notify(engine, hookEvent(upload.id, type), upload, exchange)
}

/** Records a verdict against the upload, for good, and throws it. */
export async function reject(
  engine: Engine,
  holder: Holder,
  response: FinalResponse,
): Promise<never> {
  const state = { kind: 'rejected', at: isoTime(0), response } as const
  await transition(engine, holder, { state, expiresAt: isoTime(engine.settings.verdictRetention) })
  throw rejectionError(response)
}

/** The event of a moment in the life of an upload. Its id is derived, so that it is the same after a crash. */
export function hookEvent(uploadId: string, type: HookType): HookEvent {
  return { type, id: `${uploadId}/${type}` }
}

/** What stores get to change things under a lock; one object of one shape for every operation. */
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
 * Writes the changed record. Only one change is made without the lock: a final upload adds itself to its partials.
 * When something happened in between, the change is made again on top of it; `change` throws when that cannot be.
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
