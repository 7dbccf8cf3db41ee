import type { OutgoingHttpHeaders } from 'node:http'
import type { Answer } from '../http/respond.js'

/**
 * Adds the protocol's headers; hooks cannot override them. Names become lower case: hooks write them in any case, and Node
 * would send two lines for two spellings.
 */
export function withOwnHeaders(answer: Answer, own: OutgoingHttpHeaders): Answer {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(answer.headers)) headers[name.toLowerCase()] = value
  const always = {
    // The state of an upload changes with every request, and a cache does not ask the `access` hook.
    'cache-control': answer.cacheControl ?? 'no-store',
    'x-content-type-options': 'nosniff',
  }
  return { ...answer, headers: { ...headers, ...own, ...always } }
}
