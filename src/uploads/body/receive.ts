import diagnostics from 'node:diagnostics_channel'
import type { Stat } from '../../capabilities/data-store.js'
import type { BodyEnd, IncomingBody } from '../../capabilities/incoming-body.js'
import { isTusError, TusError, type ErrorCode } from '../../errors.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { finishIfDue } from '../finish/finish-if-due.js'
import {
  checkStat,
  goneIfMissing,
  isComplete,
  stat,
  reportableOffset,
} from '../stores/stat-upload.js'
import { postponeExpiry } from '../record/expiry.js'
import { watchProgress } from './progress-watch.js'
import { isTooSmall, refusal, sizeLimitFor } from './size-limit.js'
import { MeteredBody } from './metered-body.js'
import { invalidate } from '../terminate.js'
import { reject, transition, writeOptions } from '../record/transition.js'
import { Verifier, type ChunkDigest } from '../digests/verifier.js'

const appendChannel = diagnostics.channel('tuskit:append')

/** The bytes that a request brings. */
export interface Chunk {
  readonly body: IncomingBody
  /** Whether the body is declared to be the end of the upload (IETF draft). Absent where the length alone tells. */
  readonly completes?: boolean
  /** Whether more bytes than the length allows end the upload for good (IETF draft). Default: it goes on. */
  readonly overrunEnds?: boolean
  /** Called with each offset that counts, while bytes come in. */
  readonly progress?: (offset: number) => void
  /** The digest to verify. Called when all else is found to be right; may throw. */
  readonly digest: () => ChunkDigest | undefined
  readonly exchange: Exchange
}

/** Where an upload stands after a chunk. */
export interface Received {
  readonly upload: Upload
  readonly offset: number
}

const endErrors: Readonly<Record<Exclude<BodyEnd, 'complete' | 'overrun'>, ErrorCode>> = {
  disconnected: 'ERR_BODY_INCOMPLETE',
  stalled: 'ERR_BODY_STALLED',
  released: 'ERR_BODY_INCOMPLETE',
  stopped: 'ERR_REJECTED',
  unread: 'ERR_BODY_INCOMPLETE',
  shutdown: 'ERR_SERVER_SHUTDOWN',
}

/**
 * Whether a chunk is recorded as the end before it comes, see {@link Upload.completes}. That an empty body, or one whose
 * size is unknown, came whole shows only at its end.
 */
export function declaresEnd({ completes = false, body }: Chunk): boolean {
  return completes && (body.size ?? 0) > 0
}

/**
 * Takes a chunk into the upload of a holder, for creations and appends alike, and finishes the upload when it is
 * complete. What was stored stays stored when the chunk is not whole.
 */
export async function receive(
  engine: Engine,
  holder: Holder,
  from: Stat,
  chunk: Chunk,
): Promise<Received> {
  const { body, completes, exchange } = chunk
  const { settings } = engine
  const tell = (offset: number) => reportableOffset(holder.upload, offset)
  const room = sizeLimitFor(settings, holder.upload, from)

  const claimed = digestOf(chunk, tell(from.offset))
  const verifier = claimed && new Verifier(claimed, body)
  holder.receive(body, from.offset, chunk.progress)
  const watch = watchProgress(engine, holder, exchange, () => body.stop('stopped'))
  const tapped = new MeteredBody(body, room.bytes, verifier)
  let stored: Stat
  try {
    stored = await store(engine, holder, from, tapped, verifier)
  } finally {
    body.stop('unread')
    await watch.end()
  }
  if (watch.verdict !== undefined) await reject(engine, holder, watch.verdict)

  // Requests that bring nothing could keep an upload for ever.
  if (stored.offset > from.offset) await postponeExpiry(engine, holder, stored)

  const { offset } = stored
  const end = await body.ended
  if (end === 'overrun' || tapped.overran) {
    const ends = room.tooMuch === 'ERR_LENGTH_EXCEEDED' && chunk.overrunEnds
    if (ends) await invalidate(engine, holder)
    throw ends ? new TusError(room.tooMuch) : refusal(holder.upload, room.tooMuch, offset)
  }
  if (verifier?.failure !== undefined) throw at(tell(offset), verifier.failure)
  if (completes && end === 'complete') await recordEnd(engine, holder, offset)
  if (isComplete(holder.upload, offset)) await finishIfDue(engine, holder, stored, exchange)
  else if (end !== 'complete') throw new TusError(endErrors[end], { offset })
  else if (isTooSmall(settings, holder.upload, from, chunk, offset)) {
    throw refusal(holder.upload, 'ERR_APPEND_TOO_SMALL', offset)
  }
  return { upload: holder.upload, offset }
}

function digestOf(chunk: Chunk, offset: number | undefined): ChunkDigest | undefined {
  try {
    return chunk.digest()
  } catch (error) {
    throw at(offset, error)
  }
}

/**
 * Records that the client said that this is the end, and thereby the length. Done before already when the size of the
 * body was known, see {@link Upload.completes}.
 */
async function recordEnd(engine: Engine, holder: Holder, offset: number): Promise<void> {
  const { length = offset, completes } = holder.upload
  if (length !== offset) throw new TusError('ERR_LENGTH_MISMATCH', { offset })
  if (!completes) await transition(engine, holder, { length, completes: true })
}

/** Hands the body to the store. When the store fails, the error says what is stored nevertheless. */
async function store(
  engine: Engine,
  holder: Holder,
  from: Stat,
  body: MeteredBody,
  verifier: Verifier | undefined,
): Promise<Stat> {
  const { upload } = holder
  const { dataStore, verifiedAppender } = engine.stores
  const started = performance.now()
  const options = writeOptions(engine, holder)
  try {
    if (body.expectsNothing) {
      await body.discard()
      await verifier?.accept()
      return from
    }
    if (verifier === undefined) {
      const storing = dataStore.append(upload, from, body, options)
      const stored = await inTime(engine, holder, body, storing)
      return checkStat('append', stored, from.offset, from.offset + body.given)
    }
    const accept = async () => !body.overran && (await verifier.accept())
    const storing = verifiedAppender!.appendVerified(upload, from, body, accept, options)
    const stored = await inTime(engine, holder, body, storing)
    return checkStat('appendVerified', stored, from.offset, from.offset + body.given)
  } catch (error) {
    throw at(await storedOffset(engine, holder), goneIfMissing(error))
  } finally {
    if (appendChannel.hasSubscribers) {
      const milliseconds = performance.now() - started
      appendChannel.publish({ uploadId: upload.id, from: from.offset, milliseconds })
    }
  }
}

/**
 * Waits for the store, unless it hangs. A store that asks for no more bytes for the longer of `storeTimeout` and `idleTimeout`
 * gets no more. From the end of the body on it has `flushTimeout`. Then the request ends without it, and the lock is held
 * until the store has settled.
 */
function inTime(
  engine: Engine,
  holder: Holder,
  body: MeteredBody,
  appending: Stat | Promise<Stat>,
): Promise<Stat> {
  const { storeTimeout, idleTimeout, flushTimeout } = engine.settings
  const patience = Math.max(storeTimeout, idleTimeout)
  const storing = Promise.resolve(appending)
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    let settled = false
    const watch = (milliseconds: number) => {
      timer = setTimeout(() => {
        const left = patience - body.busyTime()
        if (left > 0) watch(left)
        else body.stop('unread')
      }, milliseconds)
    }
    const late = () => {
      const { id } = holder.upload
      engine.log.error('A store does not answer', { call: 'append', uploadId: id, flushTimeout })
      const error = new TusError('ERR_FLUSH_TIMEOUT')
      holder.hang(storing)
      holder.abort(error)
      reject(error)
    }
    const settle = () => {
      settled = true
      clearTimeout(timer)
    }
    watch(patience)
    void body.ended.then(() => {
      clearTimeout(timer)
      if (!settled) timer = setTimeout(late, flushTimeout)
    })
    storing.finally(settle).then(resolve, reject)
  })
}

/** What is stored after a failure, if that can be told and the upload is still ours. */
async function storedOffset(engine: Engine, holder: Holder): Promise<number | undefined> {
  if (holder.signal.aborted || !holder.lock.held()) return undefined
  try {
    const { offset } = await stat(engine, holder.upload, holder)
    return reportableOffset(holder.upload, offset)
  } catch {
    return undefined
  }
}

/** The same failure, with the offset from which the client can resume. */
function at(offset: number | undefined, error: unknown): TusError {
  if (!isTusError(error)) return new TusError('ERR_INTERNAL', { cause: error, offset })
  const { code, message, cause, digests } = error
  return new TusError(code, { message, cause, offset, digests })
}
