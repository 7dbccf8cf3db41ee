import { TusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import { update } from './transition.js'

/**
 * Notes in a partial upload that a final one, whose record exists, needs it. Removes final uploads
 * that no longer need it from the note. Takes no lock, so that a request that fills the partial
 * continues; the revision of the record guards the note.
 *
 * Throws `ERR_UPLOAD_GONE` when the partial is removed or rejected at this moment, and
 * `ERR_TOO_MANY_FINALS`.
 */
export async function addFinalReference(
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

/** Whether an upload is neither finished nor rejected nor removed. */
export async function isOpen(engine: Engine, id: string): Promise<boolean> {
  return (await engine.stores.infoStore.get(id))?.state.kind === 'open'
}

/** Whether a partial upload can never be finished. */
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
