import type { OutgoingHttpHeaders } from 'node:http'
import type { Answer } from '../http/respond.js'

/**
 * The answer with headers of the protocol, which no hook can say otherwise. Hooks write names as they like, and Node would
 * send two lines for two spellings.
 */
export function withOwnHeaders(answer: Answer, own: OutgoingHttpHeaders): Answer {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(answer.headers)) headers[name.toLowerCase()] = value
  return { ...answer, headers: { ...headers, ...own, 'x-content-type-options': 'nosniff' } }
}
