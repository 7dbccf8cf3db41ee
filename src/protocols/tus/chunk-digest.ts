import { TusError } from '../../errors.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import { checksumAlgorithms } from '../../checksum-algorithms.js'
import type { ChunkDigest } from '../../uploads/digests/verifier.js'
import { announcesTrailer, header, type ProtocolContext } from '../context.js'
import { requireFeature } from './require-feature.js'
import { parseChecksum } from './parse-checksum.js'

const mismatch = 'ERR_CHECKSUM_MISMATCH'

/**
 * Returns the digest that the client gives for the body of its request (Checksum): in a header, or
 * in a trailer that is announced.
 */
export function chunkDigest(
  context: ProtocolContext,
  { request }: HttpExchange,
): ChunkDigest | undefined {
  const inHeader = header(request.headers, 'upload-checksum')
  if (announcesTrailer(request.headers, 'upload-checksum')) {
    requireFeature(context, 'checksum-trailer', 'An Upload-Checksum trailer')
    if (inHeader !== undefined) requireFeature(context, 'checksum', 'Upload-Checksum')
    // The algorithm is known only at the end, so all are computed.
    const algorithms =
      inHeader === undefined ? checksumAlgorithms : [parseChecksum(inHeader).algorithm]
    const expected = () => {
      const inTrailer = header(request.trailers, 'upload-checksum')
      if (inTrailer === undefined) throw new TusError('ERR_INVALID_CHECKSUM')
      if (inHeader !== undefined && inHeader !== inTrailer)
        throw new TusError('ERR_INVALID_CHECKSUM')
      return [parseChecksum(inTrailer)]
    }
    return { algorithms, expected, mismatch }
  }
  if (inHeader === undefined) return undefined
  requireFeature(context, 'checksum', 'Upload-Checksum')
  const expected = parseChecksum(inHeader)
  return { algorithms: [expected.algorithm], expected: () => [expected], mismatch }
}
