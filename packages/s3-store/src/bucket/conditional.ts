import { randomUUID } from 'node:crypto'
import type { Bucket, Conditions } from './bucket.js'

/** Milliseconds after which the object of a try is not in use any more. */
const unusedAfter = 3_600_000

/**
 * Returns how the service reads conditions. Some ignore them and replace the object, which only a
 * try shows.
 */
export async function findConditions(
  bucket: Bucket,
  prefix: string,
  signal: AbortSignal,
): Promise<Conditions> {
  const tries = `${prefix}.probe/`
  await removeUnused(bucket, tries, signal)
  for (const conditions of ['quoted', 'bare'] as const) {
    if (await heeds(bucket.with(conditions), `${tries}${randomUUID()}`, signal)) {
      return conditions
    }
  }
  return 'none'
}

/** Removes what processes have left that were killed during a try. */
async function removeUnused(bucket: Bucket, prefix: string, signal: AbortSignal): Promise<void> {
  for await (const { key, modified } of bucket.list(prefix, signal)) {
    if (Date.now() - +modified > unusedAfter) await bucket.delete(key, signal)
  }
}

/** Returns whether the service writes when a condition holds, and refuses when it does not. */
async function heeds(bucket: Bucket, key: string, signal: AbortSignal): Promise<boolean> {
  try {
    const etag = await bucket.put(key, '1', signal, {}, { absent: true })
    if (etag === undefined) return false
    const twice = await bucket.put(key, '2', signal, {}, { absent: true })
    if (twice !== undefined) return false
    const next = await bucket.put(key, '3', signal, {}, { etag })
    const outdated = await bucket.put(key, '4', signal, {}, { etag })
    return next !== undefined && outdated === undefined
  } finally {
    await bucket.delete(key, signal)
  }
}
