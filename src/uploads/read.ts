import type { Readable } from 'node:stream'
import type { ByteRange } from '../capabilities/content-reader.js'
import { TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { isFinished } from './record/completion.js'
import { refuseExpired } from './record/expiry.js'
import { loadFor } from './record/load.js'
import { withoutSecret } from './record/without-secret.js'
import { goneIfMissing, statUpload } from './stores/stat-upload.js'

/** The bytes of a finished upload, or where to get them. */
export type Content = Readable | { readonly redirect: string }

/** A finished upload, opened for reading. */
export interface OpenedContent {
  readonly upload: Upload
  readonly length: number
  /** Reads a range, or everything when `range` is absent. */
  read(range: ByteRange | undefined, signal: AbortSignal): Promise<Content>
}

/**
 * Opens a finished upload for reading. Takes no lock. Throws `ERR_UPLOAD_NOT_FINISHED` when it is
 * not finished.
 */
export async function openContent(
  engine: Engine,
  id: string,
  exchange: Exchange,
): Promise<OpenedContent> {
  const upload = await loadFor(engine, 'read', id, exchange)
  const reader = engine.stores.contentReader
  if (reader === undefined) throw new TusError('ERR_METHOD_NOT_ALLOWED')
  if (upload.state.kind === 'finished') await refuseExpired(engine, upload, upload.length)
  else {
    const { offset } = await statUpload(engine, upload)
    await refuseExpired(engine, upload, offset)
    if (!isFinished(upload, offset)) throw new TusError('ERR_UPLOAD_NOT_FINISHED')
  }
  return {
    upload: withoutSecret(upload),
    length: upload.length!,
    async read(range, signal) {
      try {
        return await reader.read(upload, range, { signal })
      } catch (error) {
        throw goneIfMissing(error)
      }
    },
  }
}
