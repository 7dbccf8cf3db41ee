import { inspect } from 'node:util'
import type { Stat } from '../../capabilities/data-store.js'
import type { ReadOptions } from '../../capabilities/call-options.js'
import { isTusError, TusError } from '../../errors.js'
import { isExpired, type Upload } from '../../upload.js'
import { isKept } from '../record/references.js'
import type { Engine } from '../engine.js'

/**
 * Asks the store what is stored. Data that is missing is answered as gone but not recorded as such: it may be back
 * when a disk is.
 */
export async function statUpload(
  engine: Engine,
  upload: Upload,
  source: SignalSource,
): Promise<Stat> {
  try {
    return await stat(engine, upload, source)
  } catch (error) {
    throw goneIfMissing(error)
  }
}

/** What a failure of the store is to the client: data that is missing is an upload that is gone. */
export function goneIfMissing(cause: unknown): unknown {
  if (!isTusError(cause, 'ERR_DATA_MISSING')) return cause
  return new TusError('ERR_UPLOAD_GONE', { cause })
}

/** What the store says is stored. Throws `ERR_DATA_MISSING`, and `ERR_INTERNAL` for what cannot be. */
export async function stat(
  { stores }: Engine,
  upload: Upload,
  source: SignalSource,
): Promise<Stat> {
  return checkStat('stat', await stores.dataStore.stat(upload, readOptions(source)))
}

/** The result of a store, unless its offset is not a whole number from `least` to `most`: then throws `ERR_INTERNAL`. */
export function checkStat(
  method: string,
  found: Stat,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): Stat {
  const offset = (found as Stat | undefined)?.offset
  if (Number.isSafeInteger(offset) && offset! >= least && offset! <= most) return found
  const expected = `{ offset } with a whole number from ${least} to ${most}`
  const cause = new Error(`The store's ${method} must return ${expected}, not ${inspect(found)}`)
  throw new TusError('ERR_INTERNAL', { cause })
}

/** An AbortController, or a holder of the lock. */
export interface SignalSource {
  readonly signal: AbortSignal
}

/** Options whose signal is made when it is asked for: who answers at once needs none. */
export function readOptions(source: SignalSource): ReadOptions {
  return {
    get signal() {
      return source.signal
    },
  }
}

/**
 * Whether the client has sent all there is: every byte and, where the protocol asks for it, its word that this is the end
 * (IETF draft, `Upload-Complete: ?1`).
 */
export function isComplete(upload: Upload, offset: number | undefined): boolean {
  if (offset === undefined || offset !== upload.length) return false
  return upload.protocol === 'tus' || upload.completes === true
}

/** Whether finishing is done: recorded as such, or implied by full bytes. */
export function isFinished(upload: Upload, offset: number): boolean {
  return (
    upload.state.kind === 'finished' || (upload.finish === 'implied' && offset === upload.length)
  )
}

/**
 * The offset for an error to tell. Clients of tus take one that equals the length for the end of the upload, so it is not
 * told before finishing succeeded.
 */
export function reportableOffset(upload: Upload, offset: number): number | undefined {
  const misleads = upload.protocol === 'tus' && offset === upload.length
  return misleads && !isFinished(upload, offset) ? undefined : offset
}

/**
 * Throws when the time of an upload is over, also before it has been removed (Expiration). An upload that is complete but
 * not recorded as finished has time until somebody finishes it.
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

/** Whether {@link refuseExpired} would throw, for those who do not know the offset. It is asked for only if it matters. */
export async function hasExpired(
  engine: Engine,
  upload: Upload,
  source: SignalSource,
): Promise<boolean> {
  const { kind } = upload.state
  if (kind === 'gone' || kind === 'rejected' || !isExpired(upload, Date.now())) return false
  if (await isKept(engine, upload)) return false
  if (kind === 'finished' || upload.concat?.kind === 'final') return true
  return !isComplete(upload, (await statUpload(engine, upload, source)).offset)
}
