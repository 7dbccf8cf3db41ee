import { inspect } from 'node:util'
import { TusError } from '../errors.js'
import type { HookResponse } from '../hooks.js'
import type { FinalResponse } from '../upload.js'

/** What a header may be made of (RFC 9110, sections 5.1 and 5.5). */
const namePattern = /^[\w!#$%&'*+.^`|~-]+$/
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The answer of a hook with the gaps filled. Throws `ERR_HOOK_FAILED` when it cannot be sent, for recorded it would
 * fail for ever, or when its status is not from 200 to `highest`.
 */
export function finalResponse(
  { status, headers = {}, body = '' }: HookResponse,
  defaultStatus: number,
  highest = 599,
): FinalResponse {
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= highest)) {
    throw failed(`status ${inspect(status)}; it may be 200 to ${highest}`)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!namePattern.test(name) || !valuePattern.test(value)) {
      throw failed(`a header that cannot be sent: ${inspect(name)}: ${inspect(value)}`)
    }
  }
  if (typeof body !== 'string') throw failed(`the body ${inspect(body)}; it must be a string`)
  return { status: status ?? defaultStatus, headers, body }
}

function failed(answer: string): TusError {
  return new TusError('ERR_HOOK_FAILED', { cause: new TypeError(`A hook answered with ${answer}`) })
}
