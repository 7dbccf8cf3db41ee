import type { WriteOptions } from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import { bytesOf, storedIn, type S3Stat } from './stored.js'
import type { UploadData } from './upload-data.js'

/**
 * Starts a new generation of parts if an earlier holder of the lock was lost: what it still writes
 * gets numbers that do not count, and it can no longer replace the tail. Returns what is stored.
 */
export async function shutOutEarlier(
  data: UploadData,
  stored: S3Stat,
  options: WriteOptions,
): Promise<S3Stat> {
  const { fence, signal } = options
  if (!fence.forced || data.bucket.conditions === 'none' || stored.whole) return stored
  const { parts, tail } = stored
  const generations = [...(tail?.generations ?? []), parts.length]
  const { numbersPerPart } = data.plan.numbers
  if (data.multipart !== undefined && generations.length >= numbersPerPart) return stored
  const bytes = await data.restOf(stored, signal)
  assertMayChange(options)
  const written = await data.tail.write(tail, { start: bytesOf(parts), bytes, generations }, signal)
  fence.shutOut()
  return storedIn(parts, written)
}
