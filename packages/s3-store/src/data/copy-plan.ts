import type { ByteRange } from 'tuskit'
import type { S3Profile } from '../providers.js'

/** A range of one of the sources, by its index. */
export interface SourceRange extends ByteRange {
  readonly source: number
}

/**
 * Returns the parts that make up a concatenation, each as the ranges that it consists of. A part of
 * one range is copied by the service; the bytes of the others pass through this process, so they
 * are as small as a part can be.
 *
 * @param sizes - The sizes of the sources, in order.
 * @param partSize - The size of all parts, if they have to be equal.
 */
export function planCopies(
  sizes: readonly number[],
  { minPartSize, maxPartSize, equalParts }: S3Profile,
  partSize: number,
): readonly (readonly SourceRange[])[] {
  const parts: (readonly SourceRange[])[] = []
  let collected: SourceRange[] = []
  let collectedSize = 0
  const target = equalParts ? partSize : minPartSize
  const flush = () => {
    parts.push(collected)
    collected = []
    collectedSize = 0
  }
  sizes.forEach((size, source) => {
    for (let start = 0; start < size;) {
      const rest = size - start
      let length = Math.min(rest, target - collectedSize)
      if (collectedSize === 0 && !equalParts) length = copySize(rest, minPartSize, maxPartSize)
      collected.push({ source, start, end: start + length - 1 })
      collectedSize += length
      start += length
      if (collectedSize >= target) flush()
    }
  })
  if (collectedSize > 0) flush()
  return parts
}

/** The size of the next range of a large source, so that what remains is not too small. */
function copySize(rest: number, minPartSize: number, maxPartSize: number): number {
  if (rest <= maxPartSize) return rest
  return Math.min(maxPartSize, rest - minPartSize)
}
