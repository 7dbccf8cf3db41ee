import { checkOptions } from '../../check-options.js'
import { withoutConnectionHeaders } from '../../connection-headers.js'
import type { ErrorCode } from '../../error-codes.js'
import { TusError } from '../../errors.js'
import type { HookResponse } from '../../hooks.js'
import { beHeaders, beStatusUpTo } from '../../response-rules.js'
import type { RecordedResponse } from '../../upload.js'

/**
 * Returns a hook's response with the gaps filled, without headers about the connection and the
 * length of the body. Throws `ERR_HOOK_FAILED` when it cannot be sent, because every replay of a
 * recorded one would fail, and when its status is not from 200 to `highest`.
 */
export function finalResponse(
  given: HookResponse,
  defaults: { readonly status?: number; readonly body?: string } = {},
  highest = 599,
): RecordedResponse {
  try {
    const owner = { name: 'The response of a hook', noun: 'member' }
    const checked = checkOptions<HookResponse>(owner, given, {
      status: beStatusUpTo(highest),
      headers: beHeaders,
      body: { expectation: 'a string', accepts: (v) => typeof v === 'string' },
    })
    const { status = defaults.status, headers = {}, body = defaults.body ?? '' } = checked
    return {
      ...(status !== undefined && { status }),
      headers: contentHeaders(headers, body),
      body,
    }
  } catch (cause) {
    throw new TusError('ERR_HOOK_FAILED', { cause })
  }
}

/** Creates the error by which a hook's rejection reaches the client. */
export function hookRejection(code: ErrorCode, given: true | HookResponse): TusError {
  if (given === true) return new TusError(code)
  const { status, message } = new TusError(code)
  return new TusError(code, { response: finalResponse(given, { status, body: message }) })
}

/**
 * Hooks may copy another server's headers. Its framing headers are dropped, because this server
 * sets its own. A body is plain text unless the hook says otherwise.
 */
function contentHeaders(
  headers: Readonly<Record<string, string>>,
  body: string,
): Record<string, string> {
  const entries = Object.entries(withoutConnectionHeaders(headers))
  const isNamed =
    (known: string) =>
    ([name]: [string, string]) =>
      name.toLowerCase() === known
  const isTyped = body === '' || entries.some(isNamed('content-type'))
  return {
    ...(!isTyped && { 'content-type': 'text/plain; charset=utf-8' }),
    ...Object.fromEntries(entries.filter((entry) => !isNamed('content-length')(entry))),
  }
}
