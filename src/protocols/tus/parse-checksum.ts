import { TusError } from '../../errors.js'
import { checksumAlgorithms, digestLengths } from '../../checksum-algorithms.js'
import type { ExpectedDigest } from '../../uploads/digests/verifier.js'
import { parseBase64 } from '../../parse-base64.js'

/**
 * Reads an `Upload-Checksum` header or trailer: the name of an algorithm, a space, the digest in
 * Base64.
 *
 * Throws `ERR_UNSUPPORTED_CHECKSUM` when the algorithm is unknown (names are lower-case), and
 * `ERR_INVALID_CHECKSUM` when the value is malformed, repeated, or not as long as the algorithm's
 * digest.
 */
export function parseChecksum(header: string): ExpectedDigest {
  const [, name, encoded] = /^([^\s,]+) ([^\s,]+)$/.exec(header) ?? []
  if (name === undefined || encoded === undefined) throw new TusError('ERR_INVALID_CHECKSUM')
  const algorithm = checksumAlgorithms.find((known) => known === name)
  if (algorithm === undefined) throw new TusError('ERR_UNSUPPORTED_CHECKSUM')
  const digest = parseBase64(encoded)
  if (digest?.length !== digestLengths[algorithm]) throw new TusError('ERR_INVALID_CHECKSUM')
  return { algorithm, digest }
}
