import type { Json } from 'tuskit'
import type { S3Profile } from '../providers.js'

/** The numbers that a plan consists of. They are kept in the record of the upload. */
export interface PlanNumbers {
  /** The size of the first part in bytes. */
  readonly size: number
  /** After so many parts, the size doubles. Absent: all parts have the same size. */
  readonly doublesEvery?: number
  /** How many numbers each part has; see {@link PartPlan.numberOf}. */
  readonly numbersPerPart: number
}

/**
 * Where the parts of an upload begin and end. It is made once and never changes, so that the bytes
 * between two offsets always belong to the same part, however often the upload is interrupted.
 * Parts are counted from 0.
 */
export class PartPlan {
  readonly numbers: PlanNumbers
  readonly #maxPartSize: number

  constructor(numbers: PlanNumbers, { maxPartSize }: Pick<S3Profile, 'maxPartSize'>) {
    this.numbers = numbers
    this.#maxPartSize = maxPartSize
  }

  /** The size of a part, unless the upload ends before. */
  sizeOf(part: number): number {
    return this.numbers.size * 2 ** this.#doublings(part)
  }

  /** The offset of the first byte of a part. */
  startOf(part: number): number {
    const { size, doublesEvery = 0 } = this.numbers
    const doublings = this.#doublings(part)
    const before = size * doublesEvery * (2 ** doublings - 1)
    return before + (part - doublings * doublesEvery) * this.sizeOf(part)
  }

  /**
   * The number of a part in the multipart upload. A part has several numbers, of which one counts
   * at a time. After a holder of the lock was lost, its successor uses the next one for all parts
   * that are not stored yet, so that nothing the earlier holder still writes counts.
   */
  numberOf(part: number, generation: number): number {
    return part * this.numbers.numbersPerPart + generation + 1
  }

  /** Returns the part and the generation that a number stands for. */
  partOf(number: number): { readonly part: number; readonly generation: number } {
    const { numbersPerPart } = this.numbers
    const part = Math.floor((number - 1) / numbersPerPart)
    return { part, generation: (number - 1) % numbersPerPart }
  }

  #doublings(part: number): number {
    const { size, doublesEvery } = this.numbers
    if (doublesEvery === undefined) return 0
    const most = Math.floor(Math.log2(this.#maxPartSize / size))
    return Math.min(Math.floor(part / doublesEvery), most)
  }
}

/** Sizes are multiples of this, so that they are easy to recognise. */
const step = 1_048_576

/** A part may become so large in order to have several numbers. */
const largestForNumbers = 67_108_864

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
  const { maxParts, maxPartSize, equalParts, conditionalWrites, omitsParts } = profile
  const most = Math.min(length ?? limit, profile.maxSize)
  // A number that no longer counts must be left out in the end.
  const choices = conditionalWrites && omitsParts ? [4, 2, 1] : [1]
  for (const numbersPerPart of choices) {
    const parts = Math.floor(maxParts / numbersPerPart)
    const needed = Math.ceil(most / parts)
    if (needed <= partSize) return { size: partSize, numbersPerPart }
    if (length === undefined && !equalParts) {
      for (const share of [4, 8, 16, 32]) {
        const doublesEvery = Math.ceil(parts / share)
        const numbers = { size: partSize, doublesEvery, numbersPerPart }
        if (new PartPlan(numbers, { maxPartSize }).startOf(parts) >= most) return numbers
      }
    }
    const size = Math.min(Math.ceil(needed / step) * step, maxPartSize)
    const isEnough = size <= largestForNumbers && size >= needed
    if (isEnough || numbersPerPart === 1) return { size, numbersPerPart }
  }
  throw new Error('unreachable')
}

/** The part of a record that describes a multipart upload. */
export interface MultipartSecret {
  readonly upload: string
  readonly plan: PlanNumbers
}

/** Returns the secret of a record, unless the upload has no multipart upload. */
export function multipartSecret(secret: Json | undefined): MultipartSecret | undefined {
  return secret as unknown as MultipartSecret | undefined
}
