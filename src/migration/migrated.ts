import { isTusError } from '../errors.js'

/** The result of a migration for one upload. */
export interface Migrated {
  readonly id: string
  /**
   * - `copied`: it is in the new store now, and was read back.
   * - `present`: it was there already, and is the same.
   * - `absent`: there is nothing to copy. The record was removed meanwhile, or the upload has no
   *   data yet.
   * - `failed`: see `error`. Repeat the migration when you have removed the cause.
   */
  readonly outcome: 'copied' | 'present' | 'absent' | 'failed'
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
