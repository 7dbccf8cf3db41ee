import type { Stat } from '../../capabilities/data-store.js'
import type { BodyEnd } from '../../capabilities/incoming-body.js'
import type { ErrorCode } from '../../error-codes.js'
import { isTusError, TusError } from '../../errors.js'
import { Verifier, type ChunkDigest } from '../digests/verifier.js'
import type { Engine } from '../engine.js'
import { finishIfDue } from '../finish/finish-if-due.js'
import type { Holder } from '../lock/holder.js'
import { reportableOffset } from '../record/completion.js'
import { postponeExpiry } from '../record/expiry.js'
import { invalidate } from '../record/removal.js'
import { reject, transition } from '../record/transition.js'
import { goneIfMissing, statUpload } from '../stores/stat-upload.js'
import type { Chunk, Received } from './chunk.js'
import { MeteredBody } from './metered-body.js'
import { watchProgress } from './progress-watch.js'
import { isTooSmall, sizeError, sizeLimitFor } from './size-limit.js'
import { storeChunk } from './store-chunk.js'

const endErrors: Readonly<Record<Exclude<BodyEnd, 'complete' | 'overrun'>, ErrorCode>> = {
  disconnected: 'ERR_BODY_INCOMPLETE',
  stalled: 'ERR_BODY_STALLED',
  released: 'ERR_BODY_INCOMPLETE',
  stopped: 'ERR_REJECTED',
  unread: 'ERR_BODY_INCOMPLETE',
  shutdown: 'ERR_SERVER_SHUTDOWN',
}

const overrunSentence =
  'The body exceeds the declared length, so the upload was removed; create it again'

/**
 * Takes a chunk into the upload of a holder, for creations and appends alike, and finishes the
 * upload when it is complete. Bytes that are stored remain stored even if the chunk is cut off.
 */
export async function receive(
  engine: Engine,
  holder: Holder,
  from: Stat,
  chunk: Chunk,
): Promise<Received> {
  const { body, callbacks, completes, exchange } = chunk
  const { settings } = engine
  const reportable = (offset: number) => reportableOffset(holder.upload, offset)
  const limit = sizeLimitFor(settings, holder.upload, from)

  const expected = digestOf(chunk, reportable(from.offset))
  const verifier = expected && new Verifier(expected, body)
  holder.receive(body, from.offset, callbacks, verifier !== undefined)
  const watch = watchProgress(engine, holder, exchange, () => body.stop('stopped'))
  const metered = new MeteredBody(body, limit.bytes, verifier)
  let stored: Stat
  try {
    stored = await storeChunk(engine, holder, from, metered, verifier)
  } catch (error) {
    throw at(await offsetAfterFailure(engine, holder), goneIfMissing(error))
  } finally {
    body.stop('unread')
    await watch.end()
  }
  if (watch.stopResponse !== undefined) await reject(engine, holder, watch.stopResponse)

  // Otherwise empty requests could postpone expiry forever.
  if (stored.offset > from.offset) await postponeExpiry(engine, holder, stored)

  const { offset } = stored
  const end = await body.ended
  if (end === 'overrun' || metered.overran) {
    const ends = limit.errorCode === 'ERR_LENGTH_EXCEEDED' && chunk.overrunEnds
    if (ends) await invalidate(engine, holder)
    if (ends) throw new TusError('ERR_LENGTH_EXCEEDED', { message: overrunSentence })
    throw sizeError(holder.upload, limit.errorCode, offset)
  }
  if (verifier?.failure !== undefined) throw at(reportable(offset), verifier.failure)
  if (completes && end === 'complete') await recordEnd(engine, holder, offset)
  if (!(await finishIfDue(engine, holder, stored, exchange))) {
    if (end !== 'complete') throw new TusError(endErrors[end], { offset })
    if (isTooSmall(settings, holder.upload, from, chunk, offset)) {
      throw sizeError(holder.upload, 'ERR_APPEND_TOO_SMALL', offset)
    }
  }
  return { upload: holder.upload, offset }
}

function digestOf({ callbacks }: Chunk, offset: number | undefined): ChunkDigest | undefined {
  try {
    return callbacks.digest?.()
  } catch (error) {
    throw at(offset, error)
  }
}

/**
 * Records the client's declaration that this is the end, and thereby the length. If the size of the
 * body was known, both are already recorded; see {@link Upload.completes}.
 */
async function recordEnd(engine: Engine, holder: Holder, offset: number): Promise<void> {
  const { length = offset, completes } = holder.upload
  if (length !== offset) throw new TusError('ERR_LENGTH_MISMATCH', { offset })
  if (!completes) await transition(engine, holder, { length, completes: true })
}

/** Returns the offset after a failure, if it can be known and this holder still owns the upload. */
async function offsetAfterFailure(engine: Engine, holder: Holder): Promise<number | undefined> {
  if (holder.signal.aborted || !holder.lock.held()) return undefined
  try {
    const { offset } = await statUpload(engine, holder.upload, holder)
    return reportableOffset(holder.upload, offset)
  } catch {
    return undefined
  }
}

/** Returns the same failure with the offset from which the client can resume. */
function at(offset: number | undefined, error: unknown): TusError {
  if (!isTusError(error)) return new TusError('ERR_INTERNAL', { cause: error, offset })
  const { code, message, cause, digests } = error
  return new TusError(code, { message, cause, offset, digests })
}
