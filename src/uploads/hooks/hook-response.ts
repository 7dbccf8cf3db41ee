import { withoutConnectionHeaders } from '../../connection-headers.js'
import { isTusError, TusError, type ErrorCode } from '../../errors.js'
import type { HookResponse } from '../../hooks.js'
import { isHttpToken } from '../../http-token.js'
import { checkOptions, isPlain, type OptionRule } from '../../check-options.js'
import type { Digests, FinalResponse } from '../../upload.js'

/** The characters of a header's value (RFC 9110, section 5.5). */
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/

const beHeaders: OptionRule = {
  expectation: 'a plain object of headers that can be sent',
  accepts: (v) => isPlain(v) && Object.entries(v).every(isHeader),
}

function isHeader([name, value]: [string, unknown]): boolean {
  return isHttpToken(name) && typeof value === 'string' && valuePattern.test(value)
}

/**
 * The answer of a hook with the gaps filled, without headers about the connection and the length of the body. Throws `ERR_HOOK_FAILED` when it cannot be sent, for recorded it would
 * fail for ever, or when its status is not from 200 to `highest`.
 */
export function finalResponse(
  answer: HookResponse,
  defaults: { readonly status: number; readonly body?: string },
  highest = 599,
): FinalResponse {
  try {
    const checked = checkOptions<HookResponse>(
      { name: 'The response of a hook', noun: 'member' },
      answer,
      {
        status: {
          expectation: `a status from 200 to ${highest}`,
          accepts: (v) => Number.isInteger(v) && (v as number) >= 200 && (v as number) <= highest,
        },
        headers: beHeaders,
        body: { expectation: 'a string', accepts: (v) => typeof v === 'string' },
      },
    )
    const { status = defaults.status, headers = {}, body = defaults.body ?? '' } = checked
    return { status, headers: contentHeaders(headers), body }
  } catch (cause) {
    throw new TusError('ERR_HOOK_FAILED', { cause })
  }
}

/** Hooks that pass on what another server answered pass on how it sent that, too; how this is sent is not theirs to say. */
function contentHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(withoutConnectionHeaders(headers))
  return Object.fromEntries(entries.filter(([name]) => name.toLowerCase() !== 'content-length'))
}

/** The verdict that an upload has come to for a reason of ours. */
export function rejectionFor(code: ErrorCode, digests?: Digests): FinalResponse {
  const { status, headers, message } = new TusError(code)
  return { status, headers, body: message, code, ...(digests && { digests }) }
}

/** Whether an error tells a recorded verdict: then all is settled. */
export function isRejection(error: unknown): boolean {
  return isTusError(error) && error.final
}

/** The error that tells a recorded verdict. */
export function rejectionError(response: FinalResponse): TusError {
  const { code = 'ERR_REJECTED', digests } = response
  return new TusError(code, { response, final: true, digests })
}
