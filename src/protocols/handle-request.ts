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

/** The answer to a request, by the protocol that it speaks. `stopping`: nothing but HEAD is served any more. */
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
    // Nobody knows whose upload it is, and to read the record once more would take as long again.
    return tusErrorResponse(context, exchange, error)
  }
  const handle = protocol === 'ietf' ? handleIetf : handleTus
  return handle(context, exchange, route, stopping)
}

/**
 * The protocol that a request speaks. `Tus-Resumable` decides before all else: operating systems add the headers of the
 * draft to uploads of applications that speak tus. A request that could be of both is answered by the protocol that created
 * the upload. Rejects when its record cannot be read.
 */
async function protocolOf(
  { engine }: ProtocolContext,
  { request, method }: HttpExchange,
  route: Route,
): Promise<Upload['protocol']> {
  const { headers } = request
  // What OPTIONS tells is for clients of both.
  if (headers['tus-resumable'] !== undefined || method === 'OPTIONS') return 'tus'
  if (!engine.features.has('ietf-draft')) return 'tus'
  if (method === 'PATCH') {
    if (isPartialUpload(headers['content-type'])) return 'ietf'
    if (isOffsetOctetStream(headers['content-type'])) return 'tus'
  }
  if (completenessOf(dialectOf(headers), headers) !== undefined) return 'ietf'
  // A creation that is none of the draft's is an ordinary request, and those are of tus.
  if (route?.kind === 'creation') return 'tus'
  if (header(headers, 'upload-draft-interop-version') !== undefined) return 'ietf'
  if (route?.kind !== 'upload' || method === 'PATCH') return 'tus'
  const upload = await engine.stores.infoStore.get(route.id)
  // tus asks for its version even to say that there is nothing, which a client of the draft never sends.
  return upload?.protocol ?? (method === 'DELETE' ? 'ietf' : 'tus')
}
