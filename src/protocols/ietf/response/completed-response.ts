import type { HttpExchange } from '../../../http/http-exchange.js'
import type { HttpResponse } from '../../../http/respond.js'
import type { RecordedResponse, Upload } from '../../../upload.js'
import type { ProtocolContext } from '../../context.js'
import type { Dialect } from '../dialect.js'
import { formatDigest, type DigestAlgorithm } from '../fields/parse-digest.js'
import { uploadHeaders } from './upload-headers.js'

/**
 * Returns the response to the request that completed an upload, or repeats it: the response to a
 * creation with the whole content (IETF draft, Upload Append). `chosen` is the response if none is
 * recorded.
 */
export function completedResponse(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  upload: Upload,
  chosen?: RecordedResponse,
): HttpResponse {
  const { state, length, representation } = upload
  const { response = chosen, digests } = state.kind === 'finished' ? state : {}
  const wanted = representation?.wantedDigest as DigestAlgorithm | undefined
  const digest = wanted && digests?.[wanted]
  return {
    status: response?.status ?? 201,
    headers: {
      location: context.locations.locate(exchange.request, upload.id),
      ...(digest && { 'repr-digest': formatDigest(wanted, Buffer.from(digest, 'base64')) }),
      ...response?.headers,
      ...uploadHeaders(context, dialect, upload, length!),
    },
    ...(response && { body: response.body }),
  }
}
