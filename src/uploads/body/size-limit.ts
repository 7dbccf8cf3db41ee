import type { Stat } from '../../capabilities/data-store.js'
import { TusError, type ErrorCode } from '../../errors.js'
import type { Upload } from '../../upload.js'
import type { EngineSettings } from '../engine.js'
import { reportableOffset } from '../stores/stat-upload.js'
import type { Chunk } from './receive.js'

/** How many bytes a request may bring. */
export interface SizeLimit {
  readonly bytes: number
  /** What a request is answered with that brings more. */
  readonly tooMuch: ErrorCode
}

/** How many bytes a request may bring to an upload that stands at `from`. */
export function sizeLimitFor(settings: EngineSettings, upload: Upload, from: Stat): SizeLimit {
  const { length, maxSize } = upload
  const left = (length ?? maxSize ?? Infinity) - from.offset
  if (settings.maxAppendSize < left) {
    return { bytes: settings.maxAppendSize, tooMuch: 'ERR_APPEND_TOO_LARGE' }
  }
  const tooMuch = length === undefined ? 'ERR_MAX_SIZE_EXCEEDED' : 'ERR_LENGTH_EXCEEDED'
  return { bytes: left, tooMuch }
}

/** Refuses a body of known size that may not be so large, or so small. `from` is absent before the upload exists. */
export function checkBodySize(
  settings: EngineSettings,
  upload: Upload,
  from: Stat | undefined,
  chunk: Chunk,
): void {
  const { size } = chunk.body
  if (size === undefined) return
  const at = from ?? { offset: 0 }
  const { bytes, tooMuch } = sizeLimitFor(settings, upload, at)
  if (size > bytes) throw refusal(upload, tooMuch, from?.offset)
  if (isTooSmall(settings, upload, at, chunk, at.offset + size)) {
    throw refusal(upload, 'ERR_APPEND_TOO_SMALL', from?.offset)
  }
}

/**
 * Whether a body that brought an upload to `offset` is below `minAppendSize`. The last one is exempt, and so is an empty one,
 * in a creation or an append: it costs the storage nothing, and may declare the length.
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

/** The refusal of a request for its size, with what the client may need to go on. */
export function refusal(upload: Upload, code: ErrorCode, offset: number | undefined): TusError {
  const { maxSize = Infinity } = upload
  const tellable = offset === undefined ? undefined : reportableOffset(upload, offset)
  return new TusError(code, { offset: tellable, maxSize })
}
