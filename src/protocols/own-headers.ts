import type { OutgoingHttpHeaders } from 'node:http'
import type { HttpResponse } from '../http/respond.js'

/**
 * Adds the protocol's headers; hooks cannot override them. Names become lower case: hooks write
 * them in any case, and Node would send two lines for two spellings.
 */
export function withOwnHeaders(httpResponse: HttpResponse, own: OutgoingHttpHeaders): HttpResponse {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(httpResponse.headers))
    headers[name.toLowerCase()] = value
  const always = {
    // The state of an upload changes with every request, and a cache does not ask the `access`
    // hook.
    'cache-control': httpResponse.cacheControl ?? 'no-store',
    'x-content-type-options': 'nosniff',
  }
  return { ...httpResponse, headers: { ...headers, ...own, ...always } }
}
