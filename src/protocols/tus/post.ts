import { TusError } from '../../errors.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import type { RecordedResponse, Upload } from '../../upload.js'
import { create } from '../../uploads/create.js'
import type { Callbacks } from '../../uploads/body/chunk.js'
import { createFinal } from '../../uploads/create-final.js'
import { chunkDigest } from './chunk-digest.js'
import { header, type ProtocolContext } from '../context.js'
import { requireFeature } from './require-feature.js'
import { expiresHeader } from './expires-header.js'
import { isOffsetOctetStream } from './media-type.js'
import { parseConcat, type ConcatHeader } from './parse-concat.js'
import { parseLength } from './parse-length.js'
import { wholeDigest } from './whole-digest.js'
import { parseMetadata } from '../../metadata.js'

/** Creates an upload, with the bytes that come along. */
export async function handlePost(
  context: ProtocolContext,
  exchange: HttpExchange,
): Promise<HttpResponse> {
  const { headers } = exchange.request
  if (!context.engine.features.has('creation')) throw new TusError('ERR_METHOD_NOT_ALLOWED')
  if (headers['upload-checksum'] !== undefined) {
    requireFeature(context, 'checksum', 'Upload-Checksum')
  }
  const concat = concatHeader(context, exchange)
  const metadata = parseMetadata(header(headers, 'upload-metadata'))
  // A digest in a partial upload is that of the final upload, and is verified there.
  const digests = concat?.kind === 'partial' ? undefined : wholeDigest(context, metadata)
  let location = ''
  let chosen: RecordedResponse | undefined
  const callbacks: Callbacks = {
    onResponse: (response) => (chosen = response),
    onUpload(upload) {
      location = context.locations.locate(exchange.request, upload.id)
      // The client can resume, whatever happens from here on.
      exchange.response.setHeader('location', location)
    },
  }
  const request = { protocol: 'tus', metadata, digests, exchange } as const
  if (concat?.kind === 'final') {
    const upload = await createFinal(context.engine, {
      ...request,
      callbacks,
      concat: {
        kind: 'final',
        header: header(headers, 'upload-concat')!,
        partials: concat.urls.map((url) => partialId(context, exchange, url)),
      },
    })
    const offset = upload.state.kind === 'finished' ? upload.length : undefined
    return created(upload, { offset, location, chosen })
  }
  const length = lengthOf(context, exchange)
  const takesBody = takesChunk(context, exchange)
  // Checked now, so that a request that is refused for it creates nothing.
  const digest = takesBody ? chunkDigest(context, exchange) : undefined
  const { upload, offset } = await create(context.engine, {
    ...request,
    length,
    ...(concat && { concat: { kind: 'partial', finals: [] } }),
    ...(takesBody && { body: exchange.body }),
    callbacks: { ...callbacks, digest: () => digest },
  })
  const known = takesBody || upload.length === 0
  return created(upload, { offset: known ? offset : undefined, location, chosen })
}

function concatHeader(
  context: ProtocolContext,
  { request }: HttpExchange,
): ConcatHeader | undefined {
  const { headers } = request
  const value = header(headers, 'upload-concat')
  if (value === undefined) return undefined
  requireFeature(context, 'concatenation', 'Upload-Concat')
  const concat = parseConcat(value)
  if (concat.kind === 'partial') return concat
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0
  if (hasBody || isOffsetOctetStream(headers['content-type']))
    throw new TusError('ERR_FINAL_UPLOAD')
  if (headers['upload-length'] !== undefined) {
    throw new TusError('ERR_INVALID_LENGTH', {
      message: 'The length of a final upload follows from its parts; do not send Upload-Length',
    })
  }
  if (headers['upload-defer-length'] !== undefined) throw new TusError('ERR_INVALID_DEFER_LENGTH')
  return concat
}

/**
 * Returns the id in a URL of a partial upload. Ignores its scheme and host, and never requests it.
 */
function partialId({ locations }: ProtocolContext, { request }: HttpExchange, url: string): string {
  const id = locations.idOf(request, url)
  if (id === undefined) {
    throw new TusError('ERR_INVALID_CONCAT', {
      message: 'Upload-Concat names a URL that is not one of an upload on this server',
    })
  }
  return id
}

function lengthOf(context: ProtocolContext, { request }: HttpExchange): number | undefined {
  const value = header(request.headers, 'upload-length')
  const deferred = header(request.headers, 'upload-defer-length')
  if (deferred !== undefined) {
    requireFeature(context, 'creation-defer-length', 'Upload-Defer-Length')
    if (deferred !== '1') throw new TusError('ERR_INVALID_DEFER_LENGTH')
    if (value !== undefined) throw new TusError('ERR_AMBIGUOUS_LENGTH')
    return undefined
  }
  if (value === undefined) throw new TusError('ERR_MISSING_LENGTH')
  return parseLength(value)
}

/**
 * Whether the body is bytes for the upload. Some HTTP stacks send a body of another type by
 * default.
 */
function takesChunk(context: ProtocolContext, { request }: HttpExchange): boolean {
  if (!isOffsetOctetStream(request.headers['content-type'])) return false
  requireFeature(context, 'creation-with-upload', 'The body of a creation')
  return true
}

interface Creation {
  /** Absent when the client does not need it. */
  readonly offset: number | undefined
  readonly location: string
  /** The response that the hooks chose. */
  readonly chosen: RecordedResponse | undefined
}

function created(upload: Upload, { offset, location, chosen }: Creation): HttpResponse {
  const finished = upload.state.kind === 'finished' ? upload.state.response : undefined
  const response = finished ?? chosen
  return {
    status: response?.status ?? 201,
    headers: {
      ...response?.headers,
      location,
      ...(offset !== undefined && { 'upload-offset': String(offset) }),
      ...expiresHeader(upload, offset),
    },
    ...(response && { body: response.body }),
  }
}
