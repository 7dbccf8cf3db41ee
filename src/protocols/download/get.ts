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
 * Only the client may keep a download, since a shared cache does not ask the `access` hook; and it asks here before it uses
 * what it kept, since uploads are removed. A proxy or middleware that compresses would break ranges.
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
    // What others uploaded must not run as a page or script of this site.
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
  // The client gave up while it waited: nothing can be sent.
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

/** What is stored is the content as it was sent, codings included (IETF draft, Content Codings). */
function codingHeaders({ representation }: Upload) {
  const names = ['content-encoding', 'content-language'] as const
  const { headers = {} } = representation ?? {}
  return Object.fromEntries(names.flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])))
}

/** Finished content never changes; an id that is used again belongs to an upload that was created later. */
function validatorsOf({ createdAt, state }: Upload, length: number) {
  const created = new Date(createdAt)
  return {
    etag: `"${created.getTime().toString(36)}-${length.toString(36)}"`,
    lastModified: state.kind === 'finished' ? new Date(state.at) : created,
  }
}
