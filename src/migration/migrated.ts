import { isTusError } from '../errors.js'

/** The result of a migration for one upload. */
export interface Migrated {
  readonly id: string
  /**
   * - `copied`: it is in the new store now, and was read back.
   * - `updated`: an earlier run had copied its record, which has changed since. It was replaced.
   * - `present`: it was there already, and is the same.
   * - `absent`: there is nothing to copy. The record was removed meanwhile, or the upload has no
   *   data yet.
   * - `removed`: an earlier run had copied its record, which is gone. The copy was removed.
   * - `failed`: see `error`. Repeat the migration when you have removed the cause.
   */
  readonly outcome: 'copied' | 'updated' | 'present' | 'absent' | 'removed' | 'failed'
  readonly error?: unknown
}

/** Returns the outcome of one upload. Rejects if a store cannot be reached, or it is aborted. */
export async function outcomeOf(
  id: string,
  signal: AbortSignal,
  migrate: () => Promise<Exclude<Migrated['outcome'], 'failed'>>,
): Promise<Migrated> {
  try {
    return { id, outcome: await migrate() }
  } catch (error) {
    signal.throwIfAborted()
    if (isTusError(error, 'ERR_STORAGE_UNAVAILABLE')) throw error
    return { id, outcome: 'failed', error }
  }
}

/** How many uploads are looked at together. */
const atOnce = 8

/**
 * Yields the results of work on ids in their order, until the signal aborts. Several ids are worked
 * on at the same time.
 */
export async function* inOrder<T>(
  ids: AsyncIterable<string>,
  signal: AbortSignal,
  work: (id: string) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  const working: Promise<T>[] = []
  const next = async () => {
    const result = await working.shift()!
    signal.throwIfAborted()
    return result
  }
  try {
    for await (const id of ids) {
      const result = work(id)
      // It may reject before its turn.
      result.catch(() => {})
      working.push(result)
      if (working.length === atOnce) yield await next()
    }
    while (working.length > 0) yield await next()
  } finally {
    await Promise.allSettled(working)
  }
}
