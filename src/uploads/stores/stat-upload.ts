import { inspect } from 'node:util'
import type { ReadOptions } from '../../capabilities/call-options.js'
import type { Stat } from '../../capabilities/data-store.js'
import { isTusError, TusError } from '../../errors.js'
import { neverAborts } from '../../never-aborts.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'

const notAborted: ReadOptions = { signal: neverAborts }

/**
 * Returns what is stored of an upload. Throws `ERR_UPLOAD_GONE` when its data is missing. That is
 * not recorded: the data may be back when a disk is.
 */
export async function statUpload(
  engine: Engine,
  upload: Upload,
  source = notAborted,
): Promise<Stat> {
  try {
    return await stat(engine, upload, source)
  } catch (error) {
    throw goneIfMissing(error)
  }
}

/** Returns what is stored of an upload; `undefined` when there is no data. */
export async function statIfThere(
  engine: Engine,
  upload: Upload,
  source = notAborted,
): Promise<Stat | undefined> {
  try {
    return await stat(engine, upload, source)
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw error
  }
}

/** Returns a store's failure as clients see it: an upload whose data is missing is gone. */
export function goneIfMissing(cause: unknown): unknown {
  if (!isTusError(cause, 'ERR_DATA_MISSING')) return cause
  return new TusError('ERR_UPLOAD_GONE', { cause })
}

async function stat({ stores }: Engine, upload: Upload, source: ReadOptions): Promise<Stat> {
  return checkStat('stat', await stores.dataStore.stat(upload, readOptions(source)))
}

/**
 * Returns the result of a store. Throws `ERR_INTERNAL` unless its offset is a whole number from
 * `least` to `most`.
 */
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

/**
 * Creates options that get their signal from `source` when it is accessed: stores that respond at
 * once need none.
 */
function readOptions(source: ReadOptions): ReadOptions {
  return {
    get signal() {
      return source.signal
    },
  }
}
