import { setImmediate } from 'node:timers/promises'
import { isTusError, TusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import { inBackground, type Engine } from '../engine.js'
import { noExchange, type Exchange } from '../exchange.js'
import { withUploadLock, type Holder } from '../lock/holder.js'
import { isRejection, rejectionFor } from '../hooks/hook-response.js'
import { finish } from './finish.js'
import { load } from '../record/load.js'
import { isFinished, statUpload } from '../stores/stat-upload.js'
import { finalsOf, isLost, isOpen } from '../record/references.js'
import { reject, transition, writeOptions } from '../record/transition.js'
import { withTimeout } from '../stores/with-timeout.js'

/** Joins, and lets it go on after `finishTimeout`. Says nothing about whether it is done. */
export async function concatenateInTime(
  engine: Engine,
  holder: Holder,
  exchange: Exchange,
): Promise<void> {
  const joining = concatenate(engine, holder, exchange)
  holder.keep(joining)
  const late = new TusError('ERR_UPLOAD_BUSY')
  try {
    await withTimeout(engine.settings.finishTimeout, joining, () => {
      inBackground(engine, 'A concatenation', joining)
      return late
    })
  } catch (error) {
    if (error !== late) throw error
  }
}

/** Joins the partials of a final upload when all are finished; otherwise it keeps waiting for them. */
export async function concatenate(
  engine: Engine,
  holder: Holder,
  exchange: Exchange,
): Promise<void> {
  const { concat, maxSize } = holder.upload
  if (concat?.kind !== 'final' || holder.upload.state.kind !== 'open') return
  const partials: Upload[] = []
  let whole = true
  for (const id of concat.partials) {
    const partial = await engine.stores.infoStore.get(id)
    if (partial === undefined || isLost(partial)) {
      return await reject(engine, holder, rejectionFor('ERR_UPLOAD_GONE'))
    }
    partials.push(partial)
    whole &&= await isFinishedPartial(engine, partial)
  }
  const length = sumOfLengths(partials)
  if ((length ?? 0) > (maxSize ?? Infinity)) {
    return await reject(engine, holder, rejectionFor('ERR_MAX_SIZE_EXCEEDED'))
  }
  // Told as soon as it can be computed, which may be before the partials are whole (Concatenation).
  if (length !== holder.upload.length) await transition(engine, holder, { length })
  if (!whole) return
  holder.phase = 'concatenating'
  const options = writeOptions(engine, holder)
  await engine.stores.concatenator!.concatenate(holder.upload, partials, options)
  holder.phase = 'working'
  const stored = await statUpload(engine, holder.upload, holder)
  if (stored.offset !== length) {
    throw new TusError('ERR_INTERNAL', { message: 'The concatenation is not as long as its parts' })
  }
  await finish(engine, holder, stored, exchange)
}

/** Joins the final uploads that may have waited for this partial only. */
export async function concatenateFinalsOf(engine: Engine, partialId: string): Promise<void> {
  const partial = await engine.stores.infoStore.get(partialId)
  if (partial === undefined) return
  for (const id of finalsOf(partial)) {
    // Stores that respond at once would keep the event loop from everything else.
    await setImmediate()
    if (!(await isOpen(engine, id))) continue
    try {
      await withUploadLock(engine, id, async (holder) => {
        holder.upload = await load(engine, id)
        await concatenateInTime(engine, holder, noExchange)
      })
    } catch (error) {
      // The other final uploads do not depend on this one. What was rejected or removed is settled.
      const isRemoved =
        isTusError(error, 'ERR_UPLOAD_GONE') || isTusError(error, 'ERR_UPLOAD_NOT_FOUND')
      if (!isRejection(error) && !isRemoved)
        engine.log.error('A concatenation failed', { uploadId: id, error })
    }
  }
}

/** Whether all bytes of a partial upload are there and finishing it succeeded. */
export async function isFinishedPartial(engine: Engine, partial: Upload): Promise<boolean> {
  if (partial.state.kind !== 'open') return partial.state.kind === 'finished'
  try {
    const { offset } = await statUpload(engine, partial, new AbortController())
    return isFinished(partial, offset)
  } catch (error) {
    if (isTusError(error, 'ERR_UPLOAD_GONE')) return false
    throw error
  }
}

/** Absent when one of the lengths is not known. */
export function sumOfLengths(partials: readonly Upload[]): number | undefined {
  return partials.reduce<number | undefined>(
    (sum, { length }) => (sum === undefined || length === undefined ? undefined : sum + length),
    0,
  )
}
