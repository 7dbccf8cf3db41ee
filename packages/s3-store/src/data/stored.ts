import type { Stat } from 'tuskit'
import type { Part } from '../bucket/multipart-uploads.js'
import type { PartPlan } from './part-plan.js'
import type { Tail } from './tail.js'

/** The state of the data of an upload. */
export interface S3Stat extends Stat {
  /** Whether the object exists under its own key, with all bytes. */
  readonly whole: boolean
  /** The parts that are stored without a gap. */
  readonly parts: readonly Part[]
  readonly tail: Tail | undefined
}

/** Returns whether a state is one that this store has returned. */
export function isS3Stat(stat: Stat): stat is S3Stat {
  return 'whole' in stat && 'parts' in stat
}

/** Returns the parts that count: complete, and without a gap before them. */
export function countedParts(
  listed: readonly Part[],
  plan: PartPlan,
  length: number | undefined,
): readonly Part[] {
  const counted: Part[] = []
  for (const found of listed) {
    const part = counted.length
    if (found.number !== part + 1) break
    const rest = length === undefined ? Infinity : length - plan.startOf(part)
    // Without a length, a shorter part is the last one: a record that is outdated lacks it.
    const isWhole = found.size === Math.min(plan.sizeOf(part), rest)
    const isLast = length === undefined && found.size < plan.sizeOf(part)
    if (!isWhole && !isLast) break
    counted.push(found)
    if (isLast) break
  }
  return counted
}

/** The bytes of parts that follow one another. */
export function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}

/** Returns what parts and tail amount to. */
export function storedIn(parts: readonly Part[], tail: Tail | undefined): S3Stat {
  // The parts before a tail were stored before it, even if they were listed before that.
  const offset = Math.max(bytesOf(parts), tail === undefined ? 0 : tail.start + tail.size)
  return { offset, whole: false, parts, tail }
}
