import type { IncomingMessage } from 'node:http'
import type { ErrorCode } from '../../errors.js'
import { header } from '../context.js'
import { digestNames, parseDigest } from './parse-digest.js'
import { formatBytes } from './structured-field.js'

const fields = ['Content-Digest', 'Repr-Digest'] as const

/**
 * What a problem of digests tells beside its type (draft-ietf-httpapi-digest-fields-problem-types, sections 3 to 5): never
 * the right digest, which is for the client to know.
 */
export function digestMembers(code: ErrorCode, request: IncomingMessage) {
  const given = fields.flatMap((name) => {
    const lower = name.toLowerCase()
    const value = header(request.headers, lower) ?? header(request.trailers, lower)
    const field = value === undefined ? undefined : parseDigest(value)
    return field === undefined ? [] : [{ header: name, ...field }]
  })
  switch (code) {
    case 'ERR_UNSUPPORTED_DIGEST': {
      const members = given.flatMap(({ header, unknown }) =>
        unknown.map((algorithm) => ({ algorithm, header })),
      )
      return { unsupported_algorithms: members }
    }
    case 'ERR_INVALID_DIGEST': {
      const reason = 'The value is not a byte sequence of the length of the digest'
      const members = given.flatMap(({ header, invalid }) =>
        invalid.map((algorithm) => ({ algorithm, header, reason })),
      )
      return { invalid_digests: members }
    }
    default: {
      const members = given.flatMap(({ header, claims }) =>
        claims.map(({ algorithm, digest }) => ({
          algorithm: digestNames[algorithm],
          provided_digest: formatBytes(digest),
          header,
        })),
      )
      return { mismatched_digests: members }
    }
  }
}
