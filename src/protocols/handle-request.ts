import { TusError } from '../errors.js'
import type { HttpExchange } from '../http/http-exchange.js'
import type { HttpResponse } from '../http/respond.js'
import type { Route } from '../http/route.js'
import type { Upload } from '../upload.js'
import { header, type ProtocolContext } from './context.js'
import { completenessOf, dialectOf } from './ietf/dialect.js'
import { handleIetf } from './ietf/ietf.js'
import { isPartialUpload } from './ietf/fields/media-type.js'
import { isOffsetOctetStream } from './tus/media-type.js'
import { handleTus, tusErrorResponse } from './tus/tus.js'

/**
 * Handles a request by the protocol that it speaks. While `stopping`, only HEAD is served, and
 * nothing once the handler is closed.
 */
export async function handleRequest(
  context: ProtocolContext,
  exchange: HttpExchange,
  route: Route,
  stopping: boolean,
): Promise<HttpResponse> {
  let protocol: Upload['protocol']
  try {
    protocol = await protocolOf(context, exchange, route)
  } catch (error) {
    // The protocol of the upload is unknown, and reading the record again would take as long again.
    return tusErrorResponse(context, exchange, error)
  }
  const handle = protocol === 'ietf' ? handleIetf : handleTus
  return handle(context, exchange, route, stopping)
}

/**
 * Returns the protocol that a request speaks. `Tus-Resumable` decides first, because operating
 * systems add the draft's headers to the uploads of applications that speak tus. A request without
 * marks of either belongs to the protocol that created the upload. Rejects when its record cannot
 * be read.
 */
async function protocolOf(
  { engine }: ProtocolContext,
  { request, method }: HttpExchange,
  route: Route,
): Promise<Upload['protocol']> {
  const { headers } = request
  // The response to OPTIONS is for clients of both protocols.
  if (headers['tus-resumable'] !== undefined || method === 'OPTIONS') return 'tus'
  if (!engine.features.has('ietf-draft')) return 'tus'
  if (method === 'PATCH') {
    if (isPartialUpload(headers['content-type'])) return 'ietf'
    if (isOffsetOctetStream(headers['content-type'])) return 'tus'
  }
  if (completenessOf(dialectOf(headers), headers) !== undefined) return 'ietf'
  // A creation without the draft's headers is an ordinary request, and those belong to tus.
  if (route?.kind === 'creation') return 'tus'
  if (header(headers, 'upload-draft-interop-version') !== undefined) return 'ietf'
  if (route?.kind !== 'upload' || method === 'PATCH') return 'tus'
  if (engine.closed) throw new TusError('ERR_SERVER_SHUTDOWN')
  const upload = await engine.stores.infoStore.get(route.id)
  // Even a tus 404 needs the version in the request, which draft clients never send.
  return upload?.protocol ?? (method === 'DELETE' ? 'ietf' : 'tus')
}
