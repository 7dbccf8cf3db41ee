import { TusError } from '../../errors.js'
import { isExpired, type Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import { update } from './transition.js'

/**
 * Notes in a partial upload that a final one, whose record exists, needs it. Final uploads that do not need it any more
 * are dropped from the note. Written without the lock of the partial, so that a request that is filling it is left
 * alone; the revision of the record guards it.
 * Throws `ERR_UPLOAD_GONE` when the partial is removed or rejected at this moment, and `ERR_TOO_MANY_FINALS`.
 */
export async function addReference(
  engine: Engine,
  partial: Upload,
  finalId: string,
): Promise<void> {
  const settled = new Set<string>()
  for (const id of finalsOf(partial)) {
    if (!(await isOpen(engine, id))) settled.add(id)
  }
  await update(engine, partial, (current) => {
    // It may have been finished in between, or removed.
    if (isLost(current)) throw new TusError('ERR_UPLOAD_GONE')
    const finals = finalsOf(current).filter((id) => !settled.has(id))
    if (finals.length >= engine.settings.maxFinals) throw new TusError('ERR_TOO_MANY_FINALS')
    return { concat: { kind: 'partial', finals: [...finals, finalId] } }
  })
}

/** The final uploads that are noted in a partial one. */
export function finalsOf({ concat }: Upload): readonly string[] {
  return concat?.kind === 'partial' ? concat.finals : []
}

/** Whether an upload is neither finished nor rejected, nor removed. */
export async function isOpen(engine: Engine, id: string): Promise<boolean> {
  return (await engine.stores.infoStore.get(id))?.state.kind === 'open'
}

/** Whether a partial upload will never be whole. */
export function isLost({ state }: Upload): boolean {
  return state.kind === 'gone' || state.kind === 'rejected'
}

/** Whether a final upload still needs this one. */
export async function isReferenced(engine: Engine, upload: Upload): Promise<boolean> {
  for (const id of finalsOf(upload)) {
    if (await isOpen(engine, id)) return true
  }
  return false
}

/**
 * Whether an upload stays although its time is over: a finished one unless finished uploads expire; a partial upload while
 * a final one waits for it, and that one while a partial upload has time to receive data.
 */
export async function isKept(engine: Engine, upload: Upload): Promise<boolean> {
  const isFinished = upload.state.kind === 'finished'
  if (isFinished && engine.settings.finishedAfter === undefined) return true
  if (isFinished || upload.concat?.kind !== 'final') return isReferenced(engine, upload)
  for (const id of new Set(upload.concat.partials)) {
    const partial = await engine.stores.infoStore.get(id)
    if (partial?.state.kind !== 'open' || partial.expiresAt === undefined) continue
    if (!isExpired(partial, Date.now())) return true
  }
  return false
}
