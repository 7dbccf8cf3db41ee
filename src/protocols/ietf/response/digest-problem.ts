import type { IncomingMessage } from 'node:http'
import type { TusError } from '../../../errors.js'
import { header } from '../../context.js'
import {
  digestNames,
  parseDigest,
  type DigestAlgorithm,
  type DigestField,
} from '../fields/parse-digest.js'
import { formatBytes } from '../fields/structured-field.js'

/**
 * Returns the members of a digest problem in addition to its type
 * (draft-ietf-httpapi-digest-fields-problem-types-06, section 3). Never the right digest, which the
 * client must know.
 */
export function digestMembers({ code, digests = {}, final }: TusError, request: IncomingMessage) {
  switch (code) {
    case 'ERR_UNSUPPORTED_DIGEST': {
      const fields = digestFields(request)
      const unknown = fields.filter(({ expected }) => expected.length === 0)
      // Where all algorithms are known, no digest can be verified at all.
      const members = (unknown.length > 0 ? unknown : fields).flatMap((field) =>
        algorithmsIn(field).map((algorithm) => ({ algorithm, header: field.header })),
      )
      return { unsupported_algorithms: members }
    }
    case 'ERR_INVALID_DIGEST': {
      const reason = 'The value is not a byte sequence of the length of the digest'
      const members = digestFields(request).flatMap(({ header, invalid }) =>
        invalid.map((algorithm) => ({ algorithm, header, reason })),
      )
      return members.length > 0 ? { invalid_digests: members } : undefined
    }
    case 'ERR_DIGEST_MISMATCH': {
      const members = Object.entries(digests).map(([algorithm, digest]) => ({
        algorithm: digestNames[algorithm as DigestAlgorithm],
        provided_digest: formatBytes(Buffer.from(digest, 'base64')),
        header: final ? 'Repr-Digest' : 'Content-Digest',
      }))
      return { mismatched_digests: members }
    }
    default:
      return undefined
  }
}

function algorithmsIn({ unknown, expected }: DigestField): readonly string[] {
  return [...unknown, ...expected.map(({ algorithm }) => digestNames[algorithm])]
}

/** The digest fields of a request, headers and trailers. */
function digestFields(request: IncomingMessage) {
  return ['Content-Digest', 'Repr-Digest'].flatMap((name) =>
    [request.headers, request.trailers].flatMap((fields) => {
      const value = header(fields, name.toLowerCase())
      const field = value === undefined ? undefined : parseDigest(value)
      return field === undefined ? [] : [{ header: name, ...field }]
    }),
  )
}
