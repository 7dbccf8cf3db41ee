import type { Json } from 'tuskit'
import type { Multipart } from '../bucket/multipart-uploads.js'
import type { S3Profile } from '../providers.js'

/** The numbers that a plan consists of. They are kept in the record of the upload. */
export interface PlanNumbers {
  /**
   * The parts that another server has stored: so many of a size, and then so many of another one.
   * The other numbers are about the parts that follow.
   */
  readonly adopted?: readonly PartRun[]
  /** The size of the first part in bytes. */
  readonly size: number
  /** After so many parts, the size doubles. Absent: all parts have the same size. */
  readonly doublesEvery?: number
}

/** Parts of the same size that follow one another. */
export type PartRun = readonly [size: number, count: number]

/**
 * Where the parts of an upload begin and end. It is made once and never changes, so that the bytes
 * between two offsets always belong to the same part, however often the upload is interrupted.
 * Parts are counted from 0 here, and from 1 in S3.
 */
export class PartPlan {
  readonly numbers: PlanNumbers
  readonly #maxPartSize: number
  /** The offsets at which the adopted parts begin, and at which the last of them ends. */
  readonly #starts: readonly number[]

  constructor(numbers: PlanNumbers, { maxPartSize }: Pick<S3Profile, 'maxPartSize'>) {
    this.numbers = numbers
    this.#maxPartSize = maxPartSize
    this.#starts = startsOf(numbers.adopted ?? [])
  }

  /** The number of adopted parts. */
  get adopted(): number {
    return this.#starts.length - 1
  }

  /** The size of a part, unless the upload ends before. */
  sizeOf(part: number): number {
    if (part < this.adopted) return this.#starts[part + 1]! - this.#starts[part]!
    return this.numbers.size * 2 ** this.#doublings(part - this.adopted)
  }

  /** The offset of the first byte of a part. */
  startOf(part: number): number {
    if (part <= this.adopted) return this.#starts[part]!
    const { size, doublesEvery = 0 } = this.numbers
    const own = part - this.adopted
    const doublings = this.#doublings(own)
    const before = this.#starts[this.adopted]! + size * doublesEvery * (2 ** doublings - 1)
    return before + (own - doublings * doublesEvery) * this.sizeOf(part)
  }

  #doublings(part: number): number {
    const { size, doublesEvery } = this.numbers
    if (doublesEvery === undefined) return 0
    const most = Math.floor(Math.log2(this.#maxPartSize / size))
    return Math.min(Math.floor(part / doublesEvery), most)
  }
}

function startsOf(runs: readonly PartRun[]): readonly number[] {
  const starts = [0]
  for (const [size, count] of runs) {
    for (let i = 0; i < count; i++) starts.push(starts.at(-1)! + size)
  }
  return starts
}

/** Sizes are multiples of this, so that they are easy to recognise. */
const step = 1_048_576

/**
 * Returns the plan for an upload. A known length gets parts of the same size. Otherwise the size
 * doubles after some parts, so that small uploads need little memory and large ones are possible.
 *
 * @param length - The length of the upload, if it is known.
 * @param limit - The most bytes that it can have.
 * @param partSize - The preferred size of a part.
 */
export function planParts(
  length: number | undefined,
  limit: number,
  partSize: number,
  profile: S3Profile,
): PlanNumbers {
  const { maxParts, maxPartSize, equalParts } = profile
  const most = Math.min(length ?? limit, profile.maxSize)
  const needed = Math.ceil(most / maxParts)
  if (needed <= partSize) return { size: partSize }
  if (length === undefined && !equalParts) {
    for (const share of [4, 8, 16, 32]) {
      const numbers = { size: partSize, doublesEvery: Math.ceil(maxParts / share) }
      if (new PartPlan(numbers, { maxPartSize }).startOf(maxParts) >= most) return numbers
    }
  }
  return { size: Math.min(Math.ceil(needed / step) * step, maxPartSize) }
}

/** The part of a record that describes a multipart upload. */
export interface MultipartSecret extends Multipart {
  readonly plan: PlanNumbers
}

/** Returns the secret of a record, unless the upload has no multipart upload. */
export function multipartSecret(secret: Json | undefined): MultipartSecret | undefined {
  return secret as unknown as MultipartSecret | undefined
}
