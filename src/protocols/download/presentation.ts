import { validateHeaderName, validateHeaderValue } from 'node:http'
import { TusError, isTusError } from '../../errors.js'
import type { DownloadPresentation } from '../../hooks.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import { checkOptions, must } from '../../check-options.js'
import type { Upload } from '../../upload.js'
import type { ProtocolContext } from '../context.js'
import { isMediaType } from './content-disposition.js'

/** Headers that describe the bytes sent, have their own member, or belong to the connection. */
const reserved = new Set([
  ...['content-length', 'content-range', 'content-encoding', 'accept-ranges', 'etag'],
  ...['last-modified', 'content-type', 'content-disposition', 'x-content-type-options'],
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'trailer'],
])

/**
 * Calls the application's `download` function and returns its result, with header names in lower
 * case. Throws `ERR_HOOK_FAILED` when the function fails, takes longer than `hookTimeout`, or
 * returns something that cannot be sent.
 */
export async function presentationOf(
  { engine: { hookLimit }, download }: ProtocolContext,
  upload: Upload,
  { request }: HttpExchange,
): Promise<DownloadPresentation> {
  if (download === undefined) return {}
  try {
    const presented = await hookLimit.run({
      start: (call) =>
        download({
          upload,
          request,
          get signal() {
            return call.signal
          },
        }),
      timeoutError: () => hookLimit.exceeded('The function download'),
    })
    const given = presented ?? {}
    const owner = { name: 'The result of the function download', noun: 'member' }
    const checked = checkOptions<DownloadPresentation>(owner, given, {
      disposition: must.beOneOf('inline', 'attachment'),
      filename: must.beText,
      contentType: {
        expectation: 'a media type',
        accepts: (v) => typeof v === 'string' && isMediaType(v),
      },
      headers: {
        expectation: `a plain object of headers that can be sent, without ${[...reserved].join(', ')}`,
        accepts: (v) => must.beTexts.accepts(v) && Object.entries(v as object).every(isHeader),
      },
    })
    const headers = Object.entries(checked.headers ?? {}).map(([name, value]) => [
      name.toLowerCase(),
      value,
    ])
    return { ...checked, headers: Object.fromEntries(headers) }
  } catch (cause) {
    throw isTusError(cause) ? cause : new TusError('ERR_HOOK_FAILED', { cause })
  }
}

function isHeader([name, value]: [string, string]): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return !reserved.has(name.toLowerCase())
  } catch {
    return false
  }
}
