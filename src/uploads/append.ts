import type { Stat } from '../capabilities/data-store.js'
import type { IncomingBody } from '../capabilities/incoming-body.js'
import { TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import { declaresEnd, type Chunk, type Received } from './body/chunk.js'
import { receive } from './body/receive.js'
import { checkBodySize } from './body/size-limit.js'
import type { Engine } from './engine.js'
import type { Holder } from './lock/holder.js'
import { settleLock } from './lock/settle-lock.js'
import { isComplete, reportableOffset } from './record/completion.js'
import { postponeExpiry, refuseExpired } from './record/expiry.js'
import { loadFor, requireProtocol } from './record/load.js'
import { transition } from './record/transition.js'
import { withUpload } from './record/with-upload.js'
import { statUpload } from './stores/stat-upload.js'

/** A chunk for an upload that exists. */
export interface AppendRequest extends Chunk {
  readonly id: string
  readonly protocol: Upload['protocol']
  /** The offset that the client expects. */
  readonly offset: number
  /**
   * Whether a request that only repeats the end of a complete upload gets its response again (IETF
   * draft). Default: it is refused.
   */
  readonly replays?: boolean
}

/** Appends a chunk, and finishes the upload if the chunk was the last one. */
export async function append(engine: Engine, request: AppendRequest): Promise<Received> {
  const found = await loadFor(engine, 'append', request.id, request.exchange)
  // These never change, so they are checked without the lock, which a concatenation may hold for a
  // long time.
  requireProtocol(found, request.protocol)
  if (found.concat?.kind === 'final') throw new TusError('ERR_FINAL_UPLOAD')
  await refuseOutdated(engine, found, request)
  return withUpload(engine, request.id, async (holder) => {
    const { upload } = holder
    const from = await statUpload(engine, upload, holder)
    await refuseExpired(engine, upload, from.offset)
    request.callbacks.onUpload?.(upload, from.offset)
    if (request.protocol === 'ietf' && upload.state.kind === 'finished') {
      return repeat(holder, from, request)
    }
    if (request.offset !== from.offset) {
      throw new TusError('ERR_OFFSET_MISMATCH', { offset: reportableOffset(upload, from.offset) })
    }
    await declare(engine, holder, from, request)
    // If the size is not known, expiry is postponed once bytes have arrived: see receive.
    if (request.body.size) await postponeExpiry(engine, holder, from)
    return receive(engine, holder, from, request)
  })
}

/**
 * Refuses a chunk at an offset below what is stored. Offsets never go down, so it can never be
 * right. Taking the lock would interrupt the active writer each time an outdated client retries.
 */
async function refuseOutdated(
  engine: Engine,
  upload: Upload,
  { offset, callbacks }: AppendRequest,
): Promise<void> {
  if (upload.state.kind !== 'open') return
  const stored = await offsetDuringWrite(engine, upload)
  if (stored === undefined || offset >= stored || isComplete(upload, stored)) return
  await refuseExpired(engine, upload, stored)
  callbacks.onUpload?.(upload, stored)
  throw new TusError('ERR_OFFSET_MISMATCH', { offset: reportableOffset(upload, stored) })
}

/**
 * Returns the stored offset if a request may be writing now. Asks the store only if no holder in
 * this process knows it.
 */
async function offsetDuringWrite(engine: Engine, upload: Upload): Promise<number | undefined> {
  const holder = engine.holders.get(upload.id)
  if (holder?.phase === 'receiving') return holder.durable
  const mayBeWritten =
    holder === undefined ? await isHeldElsewhere(engine, upload.id) : holder.phase === 'preparing'
  if (!mayBeWritten) return undefined
  return (await statUpload(engine, upload)).offset
}

/** Whether another process may hold the lock. That is cheaper to find out than the offset. */
async function isHeldElsewhere(engine: Engine, id: string): Promise<boolean> {
  if (!engine.sharesLocks) return false
  return (await settleLock(engine, id, engine.settings.settleTimeout)) !== 'free'
}

/**
 * Handles an append to a complete upload. Nothing can be appended, but a client that missed the
 * response may repeat its request.
 */
async function repeat(holder: Holder, from: Stat, request: AppendRequest): Promise<Received> {
  const { upload } = holder
  const { offset } = from
  const isValid = request.replays && request.completes && request.offset === offset
  if (isValid && (await bringsNothing(holder, from, request.body))) {
    const { length = offset } = upload
    if ((request.callbacks.declaredLength?.(upload) ?? length) !== length) {
      throw new TusError('ERR_LENGTH_MISMATCH', { offset })
    }
    return { upload, offset }
  }
  throw new TusError('ERR_UPLOAD_COMPLETE', { offset })
}

/** Whether a body is empty. If its size is not known, only its end shows that. */
async function bringsNothing(
  holder: Holder,
  { offset }: Stat,
  body: IncomingBody,
): Promise<boolean> {
  if (body.size !== undefined) return body.size === 0
  holder.receive(body, offset)
  let isEmpty = true
  for await (const _ of body) {
    isEmpty = false
    // Does nothing if all bytes have already arrived.
    body.stop('unread')
  }
  return isEmpty && (await body.ended) === 'complete'
}

/**
 * Records the declarations of a request before its body is read: the length (Creation With Deferred
 * Length), and whether the body is the end. A request whose size is refused changes nothing.
 */
async function declare(
  engine: Engine,
  holder: Holder,
  from: Stat,
  request: AppendRequest,
): Promise<void> {
  const { upload } = holder
  const length = request.callbacks.declaredLength?.(upload) ?? upload.length
  const completes = declaresEnd(request) || undefined
  if (length !== undefined && length !== upload.length) checkLength(upload, from, length)
  const declared = length === undefined ? upload : { ...upload, length }
  checkBodySize(engine.settings, declared, from, request)
  if (length !== upload.length || completes !== upload.completes) {
    await transition(engine, holder, { length, completes })
  }
}

/** Refuses a length that the upload cannot have. */
function checkLength(upload: Upload, from: Stat, length: number): void {
  const { maxSize = Infinity } = upload
  const offset = reportableOffset(upload, from.offset)
  if (upload.length !== undefined || length < from.offset) {
    throw new TusError('ERR_LENGTH_MISMATCH', { offset })
  }
  if (length > maxSize) throw new TusError('ERR_MAX_SIZE_EXCEEDED', { offset, maxSize })
}
