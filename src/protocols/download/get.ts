import { TusError } from '../../errors.js'
import { downloadTurn } from '../../http/download-turn.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import type { Upload } from '../../upload.js'
import { openContent } from '../../uploads/read.js'
import type { ProtocolContext } from '../context.js'
import { evaluateConditions } from './conditions.js'
import { contentHeaders } from './content-disposition.js'
import { parseRange } from './parse-range.js'
import { presentationOf } from './presentation.js'

/**
 * `private`: a shared cache would not call the `access` hook. `no-cache`: uploads can be removed,
 * so the client revalidates its copy before it uses it. `no-transform`: compression by a proxy or
 * middleware would break ranges.
 */
const defaultCacheControl = 'private, no-cache, no-transform'

/** Sends a finished upload, whole or a range of it (RFC 9110 sections 13 and 14). */
export async function handleGet(
  context: ProtocolContext,
  exchange: HttpExchange,
  id: string,
): Promise<HttpResponse> {
  const { upload, length, read } = await openContent(context.engine, id, exchange)
  const { headers } = exchange.request
  const presentation = await presentationOf(context, upload, exchange)
  const validators = validatorsOf(upload, length)
  const shared = {
    etag: validators.etag,
    'last-modified': validators.lastModified.toUTCString(),
    'accept-ranges': 'bytes',
    // Uploaded files must not run as pages or scripts of this site.
    'content-security-policy': 'sandbox',
    ...presentation.headers,
  }
  const cacheControl = presentation.headers?.['cache-control'] ?? defaultCacheControl
  const result = evaluateConditions(headers, validators)
  if (result === 'not-modified') return { status: 304, headers: shared, cacheControl }
  if (result === 'precondition-failed') return { status: 412, headers: shared }
  const range = result === 'proceed' ? parseRange(headers.range, length) : 'whole'
  if (range === 'unsatisfiable') {
    throw new TusError('ERR_INVALID_RANGE', { headers: { 'content-range': `bytes */${length}` } })
  }

  const whole = range === 'whole'
  await downloadTurn(exchange)
  // The client gave up while it waited, so nothing can be sent.
  if (exchange.gone) return { status: 204, headers: {} }
  const gone = new AbortController()
  void exchange.responded.then(() => gone.abort())
  const content = await read(whole ? undefined : range, gone.signal)
  if ('redirect' in content) return { status: 307, headers: { location: content.redirect } }
  return {
    status: whole ? 200 : 206,
    headers: {
      ...shared,
      ...contentHeaders(upload.metadata, presentation),
      ...codingHeaders(upload),
      'content-length': whole ? length : range.end - range.start + 1,
      ...(!whole && { 'content-range': `bytes ${range.start}-${range.end}/${length}` }),
    },
    cacheControl,
    body: content,
  }
}

/**
 * Returns the headers about codings. Content is stored as it was sent, codings included (IETF
 * draft, Content Codings).
 */
function codingHeaders({ representation }: Upload) {
  const names = ['content-encoding', 'content-language'] as const
  const { headers = {} } = representation ?? {}
  return Object.fromEntries(names.flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])))
}

/**
 * Returns the validators. Finished content never changes, and an upload that reuses an id was
 * created later.
 */
function validatorsOf({ createdAt, state }: Upload, length: number) {
  const created = new Date(createdAt)
  return {
    etag: `"${created.getTime().toString(36)}-${length.toString(36)}"`,
    lastModified: state.kind === 'finished' ? new Date(state.at) : created,
  }
}
