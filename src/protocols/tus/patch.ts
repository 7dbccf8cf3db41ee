import { TusError } from '../../errors.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import type { Upload } from '../../upload.js'
import { append } from '../../uploads/append.js'
import type { Callbacks } from '../../uploads/body/chunk.js'
import { chunkDigest } from './chunk-digest.js'
import { header, type ProtocolContext } from '../context.js'
import { expiresHeader } from './expires-header.js'
import { isOffsetOctetStream } from './media-type.js'
import { parseInteger } from './parse-integer.js'
import { parseLength } from './parse-length.js'
import { requireFeature } from './require-feature.js'

/** Appends a chunk. */
export async function handlePatch(
  context: ProtocolContext,
  exchange: HttpExchange,
  id: string,
): Promise<HttpResponse> {
  const { headers } = exchange.request
  if (!isOffsetOctetStream(headers['content-type'])) throw new TusError('ERR_INVALID_CONTENT_TYPE')
  const offset = parseInteger(header(headers, 'upload-offset') ?? '')
  if (offset === undefined) throw new TusError('ERR_INVALID_OFFSET')
  const callbacks: Callbacks = {
    onUpload(found, at) {
      // Every response says when an unfinished upload expires (Expiration), even one to an error.
      for (const [name, value] of Object.entries(expiresHeader(found, at))) {
        exchange.response.setHeader(name, value)
      }
    },
    declaredLength: (found) => declaredLength(context, exchange, found),
    digest: () => chunkDigest(context, exchange),
  }
  const { body } = exchange
  const request = { id, protocol: 'tus', offset, body, callbacks, exchange } as const
  const { upload, offset: stored } = await append(context.engine, request)
  exchange.response.removeHeader('upload-expires')
  const response = upload.state.kind === 'finished' ? upload.state.response : undefined
  return {
    status: response?.status ?? (response?.body ? 200 : 204),
    headers: {
      ...response?.headers,
      'upload-offset': String(stored),
      ...expiresHeader(upload, stored),
    },
    ...(response && { body: response.body }),
  }
}

/**
 * Returns the length that a chunk declares. A chunk may also repeat that the length is deferred
 * (Creation With Deferred Length).
 */
function declaredLength(
  context: ProtocolContext,
  { request: { headers } }: HttpExchange,
  { length: known }: Upload,
): number | undefined {
  const declared = header(headers, 'upload-length')
  const deferred = header(headers, 'upload-defer-length')
  if (deferred !== undefined) {
    requireFeature(context, 'creation-defer-length', 'Upload-Defer-Length')
    if (deferred !== '1' || known !== undefined) throw new TusError('ERR_INVALID_DEFER_LENGTH')
    if (declared !== undefined) throw new TusError('ERR_AMBIGUOUS_LENGTH')
  }
  // Apple's systems take each chunk for a draft upload, and add its supposed length.
  const isMixed = headers['upload-draft-interop-version'] !== undefined
  if (isMixed && known !== undefined) return undefined
  return declared === undefined ? undefined : parseLength(declared)
}
