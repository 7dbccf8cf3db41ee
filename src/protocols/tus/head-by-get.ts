import { isTusError, TusError } from '../../errors.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import { inspect } from '../../uploads/inspect.js'
import type { ProtocolContext } from '../context.js'
import { handleGet } from '../download/get.js'
import { stateHeaders } from './head.js'

/**
 * Responds to a GET with `Tus-Resumable`. It may be a client's HEAD, which caches turn into a GET
 * to have the content for other clients. The headers are those of HEAD. The content of a finished
 * upload comes with them, if downloads are offered.
 */
export async function handleHeadByGet(
  context: ProtocolContext,
  exchange: HttpExchange,
  id: string,
): Promise<HttpResponse> {
  const { engine } = context
  const found = await inspect(engine, id, exchange)
  const { upload, finished } = found
  const isForeign = upload.protocol !== 'tus'
  const state = isForeign ? {} : stateHeaders(found)
  if (finished && engine.features.has('download')) {
    const content = await handleGet(context, exchange, id).catch((error: unknown) => {
      if (isForeign || !isTusError(error, 'ERR_ACCESS_DENIED')) throw error
    })
    // A client that sent HEAD would look for the state where a redirection leads.
    if (isForeign || (content !== undefined && content.status !== 307)) {
      return { ...content!, headers: { ...content!.headers, ...state } }
    }
  }
  if (isForeign) throw new TusError('ERR_PROTOCOL_MISMATCH')
  // A cache that keeps every 200, despite its headers, does not keep this.
  return { status: 204, headers: state }
}
