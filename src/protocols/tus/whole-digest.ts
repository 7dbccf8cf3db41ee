import { TusError } from '../../errors.js'
import { parseBase64 } from '../../parse-base64.js'
import type { Digests, Metadata } from '../../upload.js'
import { checksumAlgorithms, digestLengths } from '../../checksum-algorithms.js'
import type { ProtocolContext } from '../context.js'

/**
 * Returns the digest that the metadata of an upload gives for the whole content: the name of an
 * algorithm, a space, and the digest in Base64 or in hexadecimal digits. tus itself has none. The
 * option `checksumMetadata` names the key.
 *
 * Throws `ERR_UNSUPPORTED_CHECKSUM` or `ERR_INVALID_CHECKSUM`: a client that sends a digest relies
 * on it.
 */
export function wholeDigest(
  { checksumMetadata: key }: ProtocolContext,
  { values }: Metadata,
): Digests | undefined {
  if (key === undefined || values[key] === undefined) return undefined
  const [name, text = '', ...rest] = values[key].split(' ')
  const algorithm = checksumAlgorithms.find((known) => known === name)
  if (algorithm === undefined) {
    const message = `The checksum in the metadata "${key}" must be one of ${checksumAlgorithms.join(', ')}`
    throw new TusError('ERR_UNSUPPORTED_CHECKSUM', { message })
  }
  const length = digestLengths[algorithm]
  const isHex = text.length === 2 * length && /^[0-9a-f]+$/i.test(text)
  const digest = isHex ? Buffer.from(text, 'hex') : parseBase64(text)
  if (digest?.length !== length || rest.length > 0) {
    const message = `The metadata "${key}" must be the name of an algorithm, a space, and the digest in Base64 or hexadecimal digits`
    throw new TusError('ERR_INVALID_CHECKSUM', { message })
  }
  return { [algorithm]: digest.toString('base64') }
}
