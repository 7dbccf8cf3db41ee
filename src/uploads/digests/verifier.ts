import { timingSafeEqual } from 'node:crypto'
import type { IncomingBody } from '../../capabilities/incoming-body.js'
import { isTusError, TusError, type ErrorCode } from '../../errors.js'
import { createHasher, type ChecksumAlgorithm, type Hasher } from './hasher.js'

/** What the client says the bytes of a chunk amount to. */
export interface ExpectedDigest {
  readonly algorithm: ChecksumAlgorithm
  readonly digest: Buffer
}

/** The digests that a chunk must have. */
export interface ChunkDigest {
  /** What {@link ChunkDigest.expected} may turn out to name; each of them is computed. */
  readonly algorithms: readonly ChecksumAlgorithm[]
  /** Called after the end of the body, for digests may come in a trailer. Throws when there is no valid one. */
  expected(): readonly ExpectedDigest[]
  /** What a digest that differs is answered with. */
  readonly mismatch: ErrorCode
}

/** Computes the digest of a chunk on its way to the store and judges it at its end. */
export class Verifier {
  readonly #digest: ChunkDigest
  readonly #body: IncomingBody
  readonly #hashers: ReadonlyMap<ChecksumAlgorithm, Hasher>
  #failure: TusError | undefined

  constructor(digest: ChunkDigest, body: IncomingBody) {
    this.#digest = digest
    this.#body = body
    this.#hashers = new Map(digest.algorithms.map((name) => [name, createHasher(name)]))
  }

  get hashers(): readonly Hasher[] {
    return [...this.#hashers.values()]
  }

  /** Why the chunk was not accepted; absent also when its body just ended early. */
  get failure(): TusError | undefined {
    return this.#failure
  }

  /** What the store asks before the chunk counts. A body that ended early cannot be verified. */
  readonly accept = async (): Promise<boolean> => {
    if ((await this.#body.ended) !== 'complete') return false
    try {
      const expected = this.#digest.expected()
      // A header and a trailer may claim digests of the same algorithm, and a hasher tells its own once.
      const found = new Map([...this.#hashers].map(([name, hasher]) => [name, hasher.digest()]))
      const different = expected.filter(
        ({ algorithm, digest }) => !timingSafeEqual(found.get(algorithm)!, digest),
      )
      if (different.length > 0) {
        const digests = Object.fromEntries(
          different.map(({ algorithm, digest }) => [algorithm, digest.toString('base64')]),
        )
        this.#failure = new TusError(this.#digest.mismatch, { digests })
      }
    } catch (error) {
      if (!isTusError(error)) throw error
      this.#failure = error
    }
    return this.#failure === undefined
  }
}
