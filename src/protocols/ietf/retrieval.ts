import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import { takeOver, type Inspection } from '../../uploads/inspect.js'
import { header, type ProtocolContext } from '../context.js'
import { handleGet } from '../download/get.js'
import type { Dialect } from './dialect.js'
import { uploadHeaders } from './response/upload-headers.js'

/** Returns the offset after ending any writer (IETF draft, Offset Retrieval and Concurrency). */
export async function handleRetrieval(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  id: string,
): Promise<HttpResponse> {
  return stateResponse(context, dialect, await takeOver(context.engine, id, exchange, 'ietf'))
}

function stateResponse(
  context: ProtocolContext,
  dialect: Dialect,
  { upload, offset }: Inspection,
): HttpResponse {
  const { length } = upload
  return {
    status: 204,
    headers: {
      ...uploadHeaders(context, dialect, upload, offset!),
      ...(length !== undefined && { 'upload-length': String(length) }),
    },
  }
}

/**
 * GET asks for the offset, as HEAD does, when the request speaks the draft or the upload is not
 * finished. Otherwise it is a download.
 */
export async function handleGetOrRetrieval(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  id: string,
): Promise<HttpResponse> {
  const { engine } = context
  const { features, stores } = engine
  const asks = header(exchange.request.headers, 'upload-draft-interop-version') !== undefined
  const downloads = !asks && features.has('download')
  let upload = downloads ? await stores.infoStore.get(id) : undefined
  if (upload?.state.kind !== 'finished') {
    const found = await takeOver(engine, id, exchange, 'ietf')
    // Its last bytes may have come in the meantime.
    if (!downloads || found.upload.state.kind !== 'finished') {
      return stateResponse(context, dialect, found)
    }
    upload = found.upload
  }
  const content = await handleGet(context, exchange, id)
  const own = uploadHeaders(context, dialect, upload, upload.length!)
  return { ...content, headers: { ...content.headers, ...own } }
}
