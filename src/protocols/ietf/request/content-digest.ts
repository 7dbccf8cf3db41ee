import { TusError } from '../../../errors.js'
import type { HttpExchange } from '../../../http/http-exchange.js'
import type { ChunkDigest } from '../../../uploads/digests/verifier.js'
import { announcesTrailer, header, type ProtocolContext } from '../../context.js'
import {
  digestNames,
  parseDigest,
  type DigestAlgorithm,
  type FieldDigest,
} from '../fields/parse-digest.js'

const mismatch = 'ERR_DIGEST_MISMATCH'
const everyAlgorithm = Object.keys(digestNames) as DigestAlgorithm[]

/**
 * Returns the digests that the client declares for the body of its request (RFC 9530,
 * Content-Digest): in a header, or in an announced trailer.
 */
export function contentDigest(
  context: ProtocolContext,
  { request }: HttpExchange,
): ChunkDigest | undefined {
  const inHeader = header(request.headers, 'content-digest')
  const announced = announcesTrailer(request.headers, 'content-digest')
  if (inHeader === undefined && !announced) return undefined
  requireDigests(context, 'Content-Digest')
  const declared = inHeader === undefined ? [] : readDigest(inHeader)
  if (!announced) {
    return {
      algorithms: declared.map(({ algorithm }) => algorithm),
      expected: () => declared,
      mismatch,
    }
  }
  // The algorithms are known only at the end, so all are computed.
  const expected = () => {
    const inTrailer = header(request.trailers, 'content-digest')
    if (inTrailer === undefined) throw new TusError('ERR_INVALID_DIGEST')
    return [...declared, ...readDigest(inTrailer)]
  }
  return { algorithms: everyAlgorithm, expected, mismatch }
}

/**
 * Returns the digests of a field. Ignores unknown algorithms if there is a known one, because a
 * client that sends a digest relies on a check. Throws `ERR_INVALID_DIGEST` or
 * `ERR_UNSUPPORTED_DIGEST`.
 */
export function readDigest(value: string): readonly FieldDigest[] {
  const field = parseDigest(value)
  if (field === undefined || field.invalid.length > 0) throw new TusError('ERR_INVALID_DIGEST')
  if (field.expected.length === 0) throw new TusError('ERR_UNSUPPORTED_DIGEST')
  return field.expected
}

/**
 * Refuses a digest that cannot be verified: ignoring it would accept bytes that the client wants
 * refused.
 */
export function requireDigests({ engine }: ProtocolContext, name: string): void {
  if (engine.features.has('checksum')) return
  throw new TusError('ERR_UNSUPPORTED_DIGEST', { message: `This server does not verify ${name}` })
}
