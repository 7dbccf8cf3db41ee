import { TusError } from '../../errors.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import { append } from '../../uploads/append.js'
import { header, type ProtocolContext } from '../context.js'
import { completedResponse } from './response/completed-response.js'
import { contentDigest } from './request/content-digest.js'
import { declaredLength } from './request/declared-length.js'
import { completenessOf, type Dialect } from './dialect.js'
import { progressReporter } from './response/interim.js'
import { isPartialUpload, partialUpload } from './fields/media-type.js'
import { parseIntegerItem } from './fields/structured-field.js'
import { uploadHeaders } from './response/upload-headers.js'

/** Appends to an upload (IETF draft, Upload Append). */
export async function handleAppend(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  id: string,
): Promise<HttpResponse> {
  const { body, request } = exchange
  const { headers } = request
  if (dialect.typedAppends && !isPartialUpload(headers['content-type'])) {
    throw new TusError('ERR_INVALID_CONTENT_TYPE', {
      message: `Send "Content-Type: ${partialUpload}"`,
      headers: { 'accept-patch': partialUpload },
    })
  }
  const offset = parseIntegerItem(header(headers, 'upload-offset'))
  if (offset === undefined) throw new TusError('ERR_INVALID_OFFSET')
  const completes = completenessOf(dialect, headers) ?? (dialect.absentCompletes || undefined)
  if (completes === undefined) throw new TusError('ERR_INVALID_COMPLETE')

  const { upload, offset: stored } = await append(context.engine, {
    id,
    protocol: 'ietf',
    offset,
    body,
    completes,
    overrunEnds: dialect.overrunEnds,
    replays: dialect.replays,
    callbacks: {
      declaredLength: () => declaredLength(headers, { offset, size: body.size, completes }),
      digest: () => contentDigest(context, exchange),
      ...progressReporter(context, exchange, dialect, offset),
    },
    exchange,
  })
  if (upload.state.kind === 'finished') return completedResponse(context, exchange, dialect, upload)
  const status = dialect.appendStatus
  return { status, headers: uploadHeaders(context, dialect, upload, stored) }
}
