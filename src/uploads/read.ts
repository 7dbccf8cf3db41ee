import type { Readable } from 'node:stream'
import type { ByteRange } from '../capabilities/content-reader.js'
import { isTusError, TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { loadFor } from './record/load.js'
import { isFinished, statUpload, refuseExpired } from './stores/stat-upload.js'

/** The bytes of a finished upload, or where to get them. */
export type Content = Readable | { readonly redirect: string }

/** A finished upload that can be read. */
export interface OpenedContent {
  readonly upload: Upload
  readonly length: number
  /** Absent range: all of it. */
  read(range: ByteRange | undefined, signal: AbortSignal): Promise<Content>
}

/** Finds a finished upload for reading. Takes no lock. Throws `ERR_UPLOAD_NOT_FINISHED` when it is not finished. */
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
    const { offset } = await statUpload(engine, upload, new AbortController())
    await refuseExpired(engine, upload, offset)
    if (!isFinished(upload, offset)) throw new TusError('ERR_UPLOAD_NOT_FINISHED')
  }
  return {
    upload,
    length: upload.length!,
    async read(range, signal) {
      try {
        return await reader.read(upload, range, { signal })
      } catch (cause) {
        if (isTusError(cause, 'ERR_DATA_MISSING')) throw new TusError('ERR_UPLOAD_GONE', { cause })
        throw cause
      }
    },
  }
}
