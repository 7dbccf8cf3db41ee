import { setImmediate } from 'node:timers/promises'
import { isTusError, TusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import { inBackground, type Engine } from '../engine.js'
import { noExchange, type Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { isFinished } from '../record/completion.js'
import { finalsOf, isLost, isOpen } from '../record/references.js'
import { isRejection, rejectionFor } from '../record/rejection.js'
import { reject, transition, writeOptions } from '../record/transition.js'
import { withUpload } from '../record/with-upload.js'
import { statIfThere, statUpload } from '../stores/stat-upload.js'
import { withTimeout } from '../../with-timeout.js'
import { finish } from './finish.js'

/**
 * Concatenates the partials of a final upload when all are finished. Returns after `finishTimeout`
 * at the latest; a concatenation that takes longer continues.
 */
export async function concatenateInTime(
  engine: Engine,
  holder: Holder,
  exchange: Exchange,
): Promise<void> {
  const concatenating = concatenate(engine, holder, exchange)
  holder.keep(concatenating)
  const late = new TusError('ERR_UPLOAD_BUSY')
  try {
    await withTimeout(engine.settings.finishTimeout, concatenating, () => {
      inBackground(engine, 'A concatenation', concatenating)
      return late
    })
  } catch (error) {
    if (error !== late) throw error
  }
}

async function concatenate(engine: Engine, holder: Holder, exchange: Exchange): Promise<void> {
  const { concat, maxSize } = holder.upload
  if (concat?.kind !== 'final' || holder.upload.state.kind !== 'open') return
  const partials: Upload[] = []
  let allFinished = true
  for (const id of concat.partials) {
    const partial = await engine.stores.infoStore.get(id)
    if (partial === undefined || isLost(partial)) {
      return await reject(engine, holder, rejectionFor('ERR_UPLOAD_GONE'))
    }
    partials.push(partial)
    allFinished &&= await isFinishedPartial(engine, partial)
  }
  const length = sumOfLengths(partials)
  if ((length ?? 0) > (maxSize ?? Infinity)) {
    return await reject(engine, holder, rejectionFor('ERR_MAX_SIZE_EXCEEDED'))
  }
  // Reported as soon as it can be computed, which may be before the partials are finished
  // (Concatenation).
  if (length !== holder.upload.length) await transition(engine, holder, { length })
  if (!allFinished) return
  await holder.concatenate(() => {
    const options = writeOptions(engine, holder)
    return engine.stores.concatenator!.concatenate(holder.upload, partials, options)
  })
  const stored = await statUpload(engine, holder.upload, holder)
  if (stored.offset !== length) {
    throw new TusError('ERR_INTERNAL', { message: 'The concatenation is not as long as its parts' })
  }
  await finish(engine, holder, stored, exchange)
}

/** Concatenates the final uploads for which this partial may be the last one. */
export async function concatenateFinalsOf(engine: Engine, partialId: string): Promise<void> {
  const partial = await engine.stores.infoStore.get(partialId)
  if (partial === undefined) return
  for (const id of finalsOf(partial)) {
    // Stores that respond at once would starve the event loop.
    await setImmediate()
    if (!(await isOpen(engine, id))) continue
    try {
      await withUpload(engine, id, (holder) => concatenateInTime(engine, holder, noExchange))
    } catch (error) {
      // The other final uploads do not depend on this one. A rejected or removed one is settled.
      const isRemoved =
        isTusError(error, 'ERR_UPLOAD_GONE') || isTusError(error, 'ERR_UPLOAD_NOT_FOUND')
      if (!isRejection(error) && !isRemoved)
        engine.log.error('A concatenation failed', { uploadId: id, error })
    }
  }
}

/** Whether all bytes of a partial upload are stored and finishing it has succeeded. */
export async function isFinishedPartial(engine: Engine, partial: Upload): Promise<boolean> {
  if (partial.state.kind !== 'open') return partial.state.kind === 'finished'
  const stored = await statIfThere(engine, partial)
  return stored !== undefined && isFinished(partial, stored.offset)
}

/** Returns the length of a concatenation; `undefined` when one of the lengths is not known. */
export function sumOfLengths(partials: readonly Upload[]): number | undefined {
  return partials.reduce<number | undefined>(
    (sum, { length }) => (sum === undefined || length === undefined ? undefined : sum + length),
    0,
  )
}
