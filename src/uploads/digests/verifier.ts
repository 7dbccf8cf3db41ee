import { timingSafeEqual } from 'node:crypto'
import type { IncomingBody } from '../../capabilities/incoming-body.js'
import type { ChecksumAlgorithm } from '../../checksum-algorithms.js'
import type { ErrorCode } from '../../error-codes.js'
import { isTusError, TusError } from '../../errors.js'
import { createHasher, type Hasher } from './hasher.js'

/** A digest that the client gives for a chunk. */
export interface ExpectedDigest {
  readonly algorithm: ChecksumAlgorithm
  readonly digest: Buffer
}

/** The digests that a chunk must have. */
export interface ChunkDigest {
  /** The algorithms that {@link ChunkDigest.expected} may name. Each is computed. */
  readonly algorithms: readonly ChecksumAlgorithm[]
  /**
   * Returns the digests that the chunk must have. Called after the end of the body, as they may
   * come in a trailer. Throws when none is valid.
   */
  expected(): readonly ExpectedDigest[]
  /** The error when a digest differs. */
  readonly mismatch: ErrorCode
}

/** Computes the digests of a chunk on its way to the store, and compares them at its end. */
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

  /** Why the chunk was not accepted. Absent, too, when its body just ended early. */
  get failure(): TusError | undefined {
    return this.#failure
  }

  /**
   * Whether the chunk counts; the store asks after the last byte. A body that ended early cannot be
   * verified.
   */
  readonly accept = async (): Promise<boolean> => {
    if ((await this.#body.ended) !== 'complete') return false
    try {
      const expected = this.#digest.expected()
      // `digest()` can be called once per hasher, but a header and a trailer may both name its
      // algorithm.
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
