import type { HttpResponse } from '../http/respond.js'
import type { RecordedResponse } from '../upload.js'

/** Returns the response to a termination. */
export function terminated(chosen: RecordedResponse | undefined): HttpResponse {
  const { status, headers = {}, body = '' } = chosen ?? {}
  return { status: status ?? (body === '' ? 204 : 200), headers, body }
}
