import type { ErrorCode } from '../../error-codes.js'
import { isTusError, TusError } from '../../errors.js'
import type { Digests, RecordedResponse } from '../../upload.js'

/** Creates the response that is recorded when the server itself rejects an upload. */
export function rejectionFor(code: ErrorCode, digests?: Digests): RecordedResponse {
  const { status, headers, message } = new TusError(code)
  return { status, headers, body: message, code, ...(digests && { digests }) }
}

/** Creates the error that replays a recorded rejection. */
export function rejectionError(response: RecordedResponse): TusError {
  const { code = 'ERR_REJECTED', digests } = response
  return new TusError(code, { response, final: true, digests })
}

/** Whether an error is a recorded rejection, so that nothing remains to be done. */
export function isRejection(error: unknown): boolean {
  return isTusError(error) && error.final
}
