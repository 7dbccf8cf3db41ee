import { TusError } from '../../errors.js'
import { checksumAlgorithms, createHasher } from './hasher.js'
import type { Digests } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Holder } from '../lock/holder.js'
import { rejectionFor } from '../hooks/hook-response.js'
import { reject } from '../record/transition.js'

/**
 * Compares the content of an upload whose bytes are all stored with the digests that its client gave for the whole of it
 * (RFC 9530, Repr-Digest; for tus, in its metadata). When one differs, that is recorded as the verdict on the upload. Returns the digests of
 * the content; `undefined` when there was nothing to compute.
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
    const verdict = rejectionFor('ERR_DIGEST_MISMATCH', Object.fromEntries(different))
    await reject(engine, holder, verdict)
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
