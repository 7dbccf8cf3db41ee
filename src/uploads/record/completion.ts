import type { Upload } from '../../upload.js'

/**
 * Whether the client has sent everything: every byte and, in the IETF draft, the declaration that
 * this is the end (`Upload-Complete: ?1`).
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
 * Returns the offset that a response may report. To tus clients, an offset that equals the length
 * means that the upload is finished, so it is not reported before finishing has succeeded.
 */
export function reportableOffset(upload: Upload, offset: number): number | undefined {
  const misleads = upload.protocol === 'tus' && offset === upload.length
  return misleads && !isFinished(upload, offset) ? undefined : offset
}
