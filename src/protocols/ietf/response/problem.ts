import { STATUS_CODES } from 'node:http'
import type { ErrorCode } from '../../../error-codes.js'
import type { TusError } from '../../../errors.js'
import type { HttpExchange } from '../../../http/http-exchange.js'
import { header } from '../../context.js'
import type { Dialect } from '../dialect.js'
import { digestMembers } from './digest-problem.js'
import { parseIntegerItem } from '../fields/structured-field.js'

const registry = 'https://iana.org/assignments/http-problem-types#'

/** The problem types of the draft, and those of draft-ietf-httpapi-digest-fields-problem-types. */
const types: { readonly [Code in ErrorCode]?: readonly [name: string, title: string] } = {
  ERR_OFFSET_MISMATCH: ['mismatching-upload-offset', 'Mismatching Upload Offset'],
  ERR_LENGTH_MISMATCH: ['inconsistent-upload-length', 'Inconsistent Upload Length Values'],
  ERR_LENGTH_EXCEEDED: ['inconsistent-upload-length', 'Inconsistent Upload Length Values'],
  ERR_UPLOAD_COMPLETE: ['completed-upload', 'Upload Is Completed'],
  ERR_UNSUPPORTED_DIGEST: ['digest-unsupported-algorithms', 'Unsupported Hashing Algorithms'],
  ERR_INVALID_DIGEST: ['digest-invalid-values', 'Invalid Digest Values'],
  ERR_DIGEST_MISMATCH: ['digest-mismatched-values', 'Mismatched Digest Values'],
}

/** The body of an error as a problem (RFC 9457). `code` is the one of this server. */
export function problem(
  error: TusError,
  sentence: string,
  status: number,
  { request }: HttpExchange,
  { replays }: Dialect,
): string {
  // Drafts from -12 on, in which the response can be replayed, have no type for that.
  const isUntyped = error.code === 'ERR_UPLOAD_COMPLETE' && replays
  const digests = digestMembers(error, request)
  // The type for invalid digests is not for fields that cannot be read, nor for those that did not
  // come.
  const isUnread = error.code === 'ERR_INVALID_DIGEST' && digests === undefined
  const [name, title] = (!isUntyped && !isUnread && types[error.code]) || []
  const members = {
    type: name === undefined ? 'about:blank' : registry + name,
    title: title ?? STATUS_CODES[status] ?? 'Error',
    status,
    detail: sentence,
    code: error.code,
    ...(error.code === 'ERR_OFFSET_MISMATCH' && {
      'expected-offset': error.offset,
      'provided-offset': parseIntegerItem(header(request.headers, 'upload-offset')),
    }),
    ...digests,
  }
  return `${JSON.stringify(members)}\n`
}
