import type { S3Profile } from '../providers.js'
import { PartPlan, planParts, type PartRun, type PlanNumbers } from './part-plan.js'

/** The bytes of an unfinished upload of another server. */
export interface AdoptedBytes {
  /** The length of the upload, if it is known. */
  readonly length: number | undefined
  /** The most bytes that it should be able to have. */
  readonly limit: number
  /** The sizes of its parts. */
  readonly parts: readonly number[]
  /** How many bytes there are that fill no part. */
  readonly rest: number
}

/**
 * Returns the plan for an upload with parts that another server has stored. Throws an error with
 * the reason if no part can follow them.
 *
 * @param partSize - The preferred size of the parts that follow.
 */
export function planAfter(
  { length, limit, parts, rest }: AdoptedBytes,
  partSize: number,
  profile: S3Profile,
): PlanNumbers {
  const { minPartSize, maxParts, maxSize, equalParts } = profile
  const stored = parts.reduce((sum, size) => sum + size, 0)
  const adopted = runsOf(parts)
  if (stored === length) return { adopted, size: partSize }
  const small = parts.find((size) => size < minPartSize)
  if (small !== undefined) {
    throw new Error(`it has a part of ${small} bytes, which is too small for others to follow it`)
  }
  const [first] = parts
  if (equalParts && parts.some((size) => size !== first)) {
    throw new Error('its parts have different sizes, which the service does not accept')
  }
  const left = {
    length: length && length - stored,
    limit: Math.min(limit, maxSize) - stored,
    partSize: Math.max(partSize, rest),
    profile: { ...profile, maxParts: Math.max(maxParts - parts.length, 1) },
  }
  const own =
    equalParts && first !== undefined
      ? { size: first }
      : planParts(left.length, left.limit, left.partSize, left.profile)
  const numbers = { adopted, ...own }
  const plan = new PartPlan(numbers, profile)
  if (plan.startOf(maxParts) < (length ?? stored + rest) || plan.sizeOf(parts.length) < rest) {
    throw new Error(
      `it has ${parts.length} parts, and the rest does not fit into those that remain`,
    )
  }
  return numbers
}

function runsOf(sizes: readonly number[]): readonly PartRun[] {
  const runs: [size: number, count: number][] = []
  for (const size of sizes) {
    const last = runs.at(-1)
    if (last?.[0] === size) last[1]++
    else runs.push([size, 1])
  }
  return runs
}
