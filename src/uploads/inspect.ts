import { isTusError, TusError } from '../errors.js'
import { isExpired, type Upload } from '../upload.js'
import type { Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { concatenateInTime } from './finish/concatenate.js'
import { finishIfDue } from './finish/finish-if-due.js'
import type { Holder } from './lock/holder.js'
import { settleLock } from './lock/settle-lock.js'
import type { WaitOptions } from './lock/with-upload-lock.js'
import { isComplete, isFinished } from './record/completion.js'
import { refuseExpired } from './record/expiry.js'
import { load, loadFor, requireProtocol } from './record/load.js'
import { withUpload } from './record/with-upload.js'
import { withoutSecret } from './record/without-secret.js'
import { statUpload } from './stores/stat-upload.js'
import { withTimeout } from '../with-timeout.js'

/** The state of an upload. */
export interface Inspection {
  readonly upload: Upload
  /** Bytes stored. Absent for a final upload that is not concatenated yet. */
  readonly offset: number | undefined
  readonly finished: boolean
}

/**
 * Returns the state of an upload by the reading rule: without the lock, and without disturbing a
 * writer that makes progress. Finishes an upload that is complete but not finished first. Refuses
 * uploads of another `protocol`, if one is given.
 */
export async function inspect(
  engine: Engine,
  id: string,
  exchange: Exchange,
  protocol?: Upload['protocol'],
): Promise<Inspection> {
  const upload = await loadFor(engine, 'inspect', id, exchange)
  if (protocol !== undefined) requireProtocol(upload, protocol)
  if (upload.state.kind === 'finished') return inspectFinished(engine, upload)
  if (upload.concat?.kind === 'final') return inspectFinal(engine, upload, exchange)

  const { finishTimeout } = engine.settings
  const wasHeld = engine.holders.has(id)
  const settled = await settle(engine, id)
  if (settled === 'held') {
    const holder = engine.holders.get(id)
    if (holder?.durable !== undefined) {
      const { upload: held, durable } = holder
      if (!isComplete(held, durable) || isFinished(held, durable)) return inspection(held, durable)
      // The holder declined, then received its last byte. Wait until it has finished the upload:
      // clients treat offset = length as finished.
      await withTimeout(finishTimeout, holder.released, () => new TusError('ERR_UPLOAD_BUSY'))
    }
  }
  // Nobody else has changed the record, unless another process has just released the lock. Then the
  // bytes show whether the upload is complete, but not whether its expiry was postponed.
  const isCurrent = !wasHeld && settled === 'free' && !isExpired(upload, Date.now())
  const current = isCurrent ? upload : await load(engine, id)
  const { offset } = await statUpload(engine, current)
  if (isComplete(current, offset) && !isFinished(current, offset)) {
    const wait = { milliseconds: finishTimeout, errorCode: 'ERR_UPLOAD_BUSY' } as const
    return inspectLocked(engine, id, exchange, wait)
  }
  await refuseExpired(engine, current, offset)
  return inspection(current, offset)
}

/**
 * Waits until the lock is free or its holder declines to release it: up to `finishTimeout` for a
 * holder in this process, otherwise up to `settleTimeout`.
 */
async function settle(engine: Engine, id: string): Promise<'free' | 'held'> {
  const { finishTimeout, settleTimeout } = engine.settings
  const local = engine.holders.has(id)
  const settled = await settleLock(engine, id, local ? finishTimeout : settleTimeout)
  const isBusy = local && engine.holders.get(id)?.phase !== 'receiving'
  if (settled === undefined && isBusy) throw new TusError('ERR_UPLOAD_BUSY')
  return settled ?? 'held'
}

/**
 * Returns the state of an upload after ending a request that writes it, so that the client can
 * resume from the offset at once (IETF draft, Concurrency). Takes no lock for a finished upload.
 */
export async function takeOver(
  engine: Engine,
  id: string,
  exchange: Exchange,
  protocol: Upload['protocol'],
): Promise<Inspection> {
  const upload = await loadFor(engine, 'inspect', id, exchange)
  requireProtocol(upload, protocol)
  if (upload.state.kind === 'finished') return inspectFinished(engine, upload)
  return inspectLocked(engine, id, exchange)
}

/** Inspects under the lock, and finishes an upload that is complete but not finished. */
async function inspectLocked(
  engine: Engine,
  id: string,
  exchange: Exchange,
  wait?: WaitOptions,
): Promise<Inspection> {
  const inspectHeld = async (holder: Holder) => {
    const stored = await statUpload(engine, holder.upload, holder)
    await finishIfDue(engine, holder, stored, exchange)
    await refuseExpired(engine, holder.upload, stored.offset)
    return inspection(holder.upload, stored.offset)
  }
  return withUpload(engine, id, inspectHeld, wait)
}

/**
 * Returns the state of a final upload, which has no offset before it is concatenated. Tries to
 * concatenate it now, unless a holder is working on it.
 */
async function inspectFinal(
  engine: Engine,
  upload: Upload,
  exchange: Exchange,
): Promise<Inspection> {
  const { settleTimeout } = engine.settings
  const wait = { milliseconds: settleTimeout, errorCode: 'ERR_UPLOAD_BUSY' } as const
  if (engine.holders.has(upload.id)) return inspection(upload, undefined)
  const inspectHeld = async (holder: Holder) => {
    await concatenateInTime(engine, holder, exchange)
    const { state, length } = holder.upload
    await refuseExpired(engine, holder.upload, undefined)
    return inspection(holder.upload, state.kind === 'finished' ? length : undefined)
  }
  try {
    return await withUpload(engine, upload.id, inspectHeld, wait)
  } catch (error) {
    if (isTusError(error, 'ERR_UPLOAD_BUSY')) return inspection(upload, undefined)
    throw error
  }
}

async function inspectFinished(engine: Engine, upload: Upload): Promise<Inspection> {
  await refuseExpired(engine, upload, upload.length)
  return inspection(upload, upload.length)
}

function inspection(upload: Upload, offset: number | undefined): Inspection {
  const finished = offset !== undefined && isFinished(upload, offset)
  return { upload: withoutSecret(upload), offset, finished }
}
