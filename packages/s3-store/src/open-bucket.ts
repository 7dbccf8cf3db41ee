import type { Bucket } from './bucket/bucket.js'
import { findConditions } from './bucket/conditional.js'

/** Milliseconds that the checks of an `open` may take. */
export const openTimeout = 30_000

/**
 * Checks that a bucket can be used and that the service has conditional writes, on which all
 * changes of `owner` depend. Returns the bucket as the service reads conditions.
 */
export async function openBucket(owner: string, bucket: Bucket, prefix: string): Promise<Bucket> {
  const signal = AbortSignal.timeout(openTimeout)
  await bucket.check(signal)
  const conditions = await findConditions(bucket, prefix, signal)
  if (conditions !== 'none') return bucket.with(conditions)
  throw new Error(
    `${owner} needs conditional writes (If-None-Match, If-Match), which the service of the bucket ${bucket.name} ignores`,
  )
}
