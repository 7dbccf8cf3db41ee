import type { Stat } from '../../capabilities/data-store.js'
import type { ErrorCode } from '../../error-codes.js'
import { TusError } from '../../errors.js'
import type { Upload } from '../../upload.js'
import type { EngineSettings } from '../engine.js'
import { reportableOffset } from '../record/completion.js'
import type { Chunk } from './chunk.js'

/** The maximum size of a request's body. */
export interface SizeLimit {
  readonly bytes: number
  /** The error for a larger body. */
  readonly errorCode: ErrorCode
}

/** Returns the size limit of a request for an upload that holds `from`. */
export function sizeLimitFor(settings: EngineSettings, upload: Upload, from: Stat): SizeLimit {
  const { length, maxSize } = upload
  const left = (length ?? maxSize ?? Infinity) - from.offset
  if (settings.maxAppendSize < left) {
    return { bytes: settings.maxAppendSize, errorCode: 'ERR_APPEND_TOO_LARGE' }
  }
  const errorCode = length === undefined ? 'ERR_MAX_SIZE_EXCEEDED' : 'ERR_LENGTH_EXCEEDED'
  return { bytes: left, errorCode }
}

/**
 * Refuses a body of known size that is too large or too small. `from` is absent before the upload
 * exists.
 */
export function checkBodySize(
  settings: EngineSettings,
  upload: Upload,
  from: Stat | undefined,
  chunk: Chunk,
): void {
  const { size } = chunk.body
  if (size === undefined) return
  const at = from ?? { offset: 0 }
  const { bytes, errorCode } = sizeLimitFor(settings, upload, at)
  if (size > bytes) throw sizeError(upload, errorCode, from?.offset)
  if (isTooSmall(settings, upload, at, chunk, at.offset + size)) {
    throw sizeError(upload, 'ERR_APPEND_TOO_SMALL', from?.offset)
  }
}

/**
 * Whether a chunk that brought an upload to `offset` is below `minAppendSize`. The last chunk is
 * exempt. So is an empty one, in a creation or an append: it costs the storage nothing, and may
 * declare the length.
 */
export function isTooSmall(
  settings: EngineSettings,
  upload: Upload,
  from: Stat,
  { completes }: Chunk,
  offset: number,
): boolean {
  const isLast = completes ?? offset === upload.length
  const size = offset - from.offset
  return !isLast && size !== 0 && size < settings.minAppendSize
}

/** Creates the error for a body of the wrong size, with what the client may need to continue. */
export function sizeError(upload: Upload, code: ErrorCode, offset: number | undefined): TusError {
  const { maxSize = Infinity } = upload
  const reportable = offset === undefined ? undefined : reportableOffset(upload, offset)
  return new TusError(code, { offset: reportable, maxSize })
}
