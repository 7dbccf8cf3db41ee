import type { HttpExchange } from '../../http/http-exchange.js'
import type { Answer } from '../../http/respond.js'
import { takeOver } from '../../uploads/inspect.js'
import { header, type ProtocolContext } from '../context.js'
import { handleGet } from '../download/get.js'
import type { Dialect } from './dialect.js'
import { uploadHeaders } from './upload-headers.js'

/** Says where an upload stands, after ending whoever writes it (IETF draft, Offset Retrieval and Concurrency). */
export async function handleRetrieval(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  id: string,
): Promise<Answer> {
  const { upload, offset } = await takeOver(context.engine, id, exchange, 'ietf')
  const { length } = upload
  return {
    status: 204,
    headers: {
      ...uploadHeaders(context, dialect, upload, offset!),
      ...(length !== undefined && { 'upload-length': String(length) }),
      'cache-control': 'no-store',
    },
  }
}

/**
 * GET asks for the offset, as HEAD does, when the request speaks the draft or the upload is not finished. Otherwise it is a
 * download.
 */
export async function handleGetOrRetrieval(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  id: string,
): Promise<Answer> {
  const { features, stores } = context.engine
  const asks = header(exchange.request.headers, 'upload-draft-interop-version') !== undefined
  const upload = asks || !features.has('download') ? undefined : await stores.infoStore.get(id)
  if (upload?.state.kind !== 'finished') return handleRetrieval(context, exchange, dialect, id)
  const { status, headers, body } = await handleGet(context.engine, exchange, id)
  const own = uploadHeaders(context, dialect, upload, upload.length!)
  return { status, headers: { ...headers, ...own }, ...(body !== undefined && { body }) }
}
