import { isTusError, TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import { finishIfDue } from './finish/finish-if-due.js'
import { concatenateInTime } from './finish/concatenate.js'
import type { Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { withUploadLock, type WaitOptions } from './lock/holder.js'
import { load, loadFor, requireProtocol } from './record/load.js'
import {
  isComplete,
  isFinished,
  statUpload,
  readOptions,
  refuseExpired,
} from './stores/stat-upload.js'
import { withTimeout } from './stores/with-timeout.js'
import { withoutSecret } from './record/without-secret.js'

/** What is known about an upload. */
export interface Inspection {
  readonly upload: Upload
  /** Bytes stored; absent for a final upload that is not joined yet. */
  readonly offset: number | undefined
  readonly finished: boolean
}

/**
 * Tells where an upload stands, by the reading rule: without the lock, and without disturbing a writer that makes
 * progress. An upload that is complete but not finished is finished first. `protocol`: the one that asks, if it is one.
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

  if ((await settle(engine, id)) === 'held') {
    const holder = engine.holders.get(id)
    if (holder?.durable !== undefined) {
      const { upload: held, durable } = holder
      if (!isComplete(held, durable) || isFinished(held, durable)) return inspection(held, durable)
      // It declined, and got its last byte since: clients take a full offset for done.
      const late = () => new TusError('ERR_UPLOAD_BUSY')
      await withTimeout(engine.settings.finishTimeout, holder.released, late)
    }
  }
  const current = await load(engine, id)
  const { offset } = await statUpload(engine, current, new AbortController())
  if (isComplete(current, offset) && !isFinished(current, offset)) {
    const { finishTimeout } = engine.settings
    return inspectAlone(engine, id, exchange, {
      milliseconds: finishTimeout,
      late: 'ERR_UPLOAD_BUSY',
    })
  }
  await refuseExpired(engine, current, offset)
  return inspection(current, offset)
}

/** Waits for a holder that lets go: one of this process for as long as it may finish, others for a moment. */
async function settle(engine: Engine, id: string): Promise<'free' | 'held'> {
  const { finishTimeout, settleTimeout } = engine.settings
  const local = engine.holders.has(id)
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(), local ? finishTimeout : settleTimeout)
  try {
    return await engine.stores.locker.settle(id, readOptions(waiting))
  } catch (error) {
    if (!waiting.signal.aborted) throw error
    if (local) throw new TusError('ERR_UPLOAD_BUSY')
    return 'held'
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Tells where an upload stands after ending whoever writes it: the offset that is told can be resumed from at once (IETF
 * draft, Concurrency). A finished upload is not locked for it.
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
  return inspectAlone(engine, id, exchange)
}

/** Inspects under the lock, and finishes what is complete but not finished. */
async function inspectAlone(
  engine: Engine,
  id: string,
  exchange: Exchange,
  wait?: WaitOptions,
): Promise<Inspection> {
  return withUploadLock(
    engine,
    id,
    async (holder) => {
      holder.upload = await load(engine, id)
      const stored = await statUpload(engine, holder.upload, holder)
      const { offset } = stored
      if (isComplete(holder.upload, offset)) await finishIfDue(engine, holder, stored, exchange)
      await refuseExpired(engine, holder.upload, offset)
      return inspection(holder.upload, offset)
    },
    wait,
  )
}

/** A final upload has no offset before it is joined. If nobody works on it, that is tried now. */
async function inspectFinal(
  engine: Engine,
  upload: Upload,
  exchange: Exchange,
): Promise<Inspection> {
  const wait: WaitOptions = { milliseconds: engine.settings.settleTimeout, late: 'ERR_UPLOAD_BUSY' }
  if (engine.holders.has(upload.id)) return inspection(upload, undefined)
  try {
    return await withUploadLock(
      engine,
      upload.id,
      async (holder) => {
        holder.upload = await load(engine, upload.id)
        await concatenateInTime(engine, holder, exchange)
        const { state, length } = holder.upload
        await refuseExpired(engine, holder.upload, undefined)
        return inspection(holder.upload, state.kind === 'finished' ? length : undefined)
      },
      wait,
    )
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
