import { TusError } from '../../errors.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import type { RecordedResponse, Upload } from '../../upload.js'
import { create } from '../../uploads/create.js'
import { header, type ProtocolContext } from '../context.js'
import { completedResponse } from './response/completed-response.js'
import { contentDigest } from './request/content-digest.js'
import { declaredLength } from './request/declared-length.js'
import { completenessOf, type Dialect } from './dialect.js'
import { progressReporter, sendResumption } from './response/interim.js'
import { representationOf } from './request/representation.js'
import { parseIntegerItem } from './fields/structured-field.js'
import { uploadHeaders } from './response/upload-headers.js'
import { limitOf } from './response/upload-limit.js'

/** Creates an upload with the bytes that come along (IETF draft, Upload Creation). */
export async function handleCreation(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
): Promise<HttpResponse> {
  const { engine, locations } = context
  const { request, response, body } = exchange
  const completes = completenessOf(dialect, request.headers)
  if (completes === undefined) throw new TusError('ERR_INVALID_COMPLETE')
  // An append to the wrong URL must not create an upload from the rest of the bytes.
  if (parseIntegerItem(header(request.headers, 'upload-offset'))) {
    const message = 'A creation has no Upload-Offset; append to the URL of the upload'
    throw new TusError('ERR_UNEXPECTED_FIELD', { message })
  }
  const length = declaredLength(request.headers, { size: body.size, completes })
  const isSmall = length !== undefined && length < engine.settings.minSize
  if (!completes && dialect.foreign) throw new TusError('ERR_UNSUPPORTED_INTEROP_VERSION')
  if (!completes && isSmall) {
    const maxSize = await engine.settings.maxSize(exchange, undefined)
    throw new TusError('ERR_UPLOAD_TOO_SMALL', { maxSize })
  }
  // Otherwise the body is the whole upload, or nothing.
  const resumable = !dialect.foreign && !isSmall
  const digest = contentDigest(context, exchange)

  let chosen: RecordedResponse | undefined
  const onUpload = (upload: Upload) => {
    if (!resumable) return
    const location = locations.locate(request, upload.id)
    // From here on the upload is kept, so that the client can resume.
    response.setHeader('location', location)
    const limit = limitOf(engine.settings, dialect, upload)
    sendResumption(context, exchange, dialect, { location, ...limit })
  }
  const { upload, offset } = await create(engine, {
    protocol: 'ietf',
    length,
    ...representationOf(context, exchange),
    body,
    completes,
    overrunEnds: dialect.overrunEnds,
    callbacks: {
      onResponse: (response) => (chosen = response),
      onUpload,
      digest: () => digest,
      ...(resumable && progressReporter(context, exchange, dialect, 0)),
    },
    exchange,
  })
  if (upload.state.kind === 'finished') {
    return completedResponse(context, exchange, dialect, upload, chosen)
  }
  return {
    status: chosen?.status ?? 201,
    headers: { ...chosen?.headers, ...uploadHeaders(context, dialect, upload, offset) },
    ...(chosen && { body: chosen.body }),
  }
}
