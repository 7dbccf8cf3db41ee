import { TusError } from '../../errors.js'
import { checksumAlgorithms } from '../../checksum-algorithms.js'
import type { Digests } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Holder } from '../lock/holder.js'
import { rejectionFor } from '../record/rejection.js'
import { reject } from '../record/transition.js'
import { createHasher } from './hasher.js'

/**
 * Compares the content of an upload with the digests that its client gave for the whole (RFC 9530,
 * Repr-Digest; for tus, in its metadata). When one differs, rejects the upload. Returns the digests
 * of the content; `undefined` when there was nothing to compute.
 */
export async function verifyContent(engine: Engine, holder: Holder): Promise<Digests | undefined> {
  const { representation, digests } = holder.upload
  const expected = { ...representation?.digests, ...digests }
  const wantedDigest = representation?.wantedDigest
  const names = checksumAlgorithms.filter((name) => name in expected || name === wantedDigest)
  if (names.length === 0) return undefined
  const hashers = names.map((name) => [name, createHasher(name)] as const)
  for await (const piece of await contentOf(engine, holder)) {
    for (const [, hasher] of hashers) hasher.update(piece as Buffer)
  }
  const found = Object.fromEntries(
    hashers.map(([name, hasher]) => [name, hasher.digest().toString('base64')]),
  )
  const different = Object.entries(expected).filter(([name, digest]) => found[name] !== digest)
  if (different.length > 0) {
    const response = rejectionFor('ERR_DIGEST_MISMATCH', Object.fromEntries(different))
    await reject(engine, holder, response)
  }
  return found
}

async function contentOf(engine: Engine, { upload, signal }: Holder) {
  const content = await engine.stores.contentReader?.read(upload, undefined, { signal })
  if (content === undefined || 'redirect' in content) {
    const cause = new Error(
      'The ContentReader does not read, so the digest of the whole cannot be verified',
    )
    throw new TusError('ERR_INTERNAL', { cause })
  }
  return content
}
