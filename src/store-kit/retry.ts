import type { ReadOptions } from '../capabilities/call-options.js'
import { checkOptions, must } from '../check-options.js'
import { isTusError } from '../errors.js'

/** Options of {@link retry}. */
export interface RetryOptions extends ReadOptions {
  /**
   * How often `work` is called at most.
   *
   * @default 3
   */
  readonly attempts?: number
  /**
   * The longest wait before the second attempt, in milliseconds. It doubles for each further one.
   *
   * @default 100
   */
  readonly delay?: number
  /**
   * The longest wait before any attempt, in milliseconds.
   *
   * @default 5000
   */
  readonly maxDelay?: number
  /**
   * Returns whether another attempt can succeed after this error.
   *
   * @default true for `ERR_STORAGE_UNAVAILABLE`, and false for everything else
   */
  readonly isWorthIt?: (error: unknown) => boolean
}

const rules = {
  signal: { ...must.beSignal, required: true },
  attempts: must.beCount,
  delay: must.beTimeout,
  maxDelay: must.beTimeout,
  isWorthIt: must.beFunction,
}

/**
 * Returns the result of `work`, and calls it again when it rejects with an error that may be
 * temporary. Rejects with the last error. When the signal aborts, it stops waiting at once and
 * rejects with `signal.reason`; pass the signal on to `work`, so that it stops as well.
 *
 * Each wait has a random length between 0 and its longest, because clients that lost the same
 * server would otherwise come back all at once.
 *
 * Retry only what may happen twice: a call that failed may have succeeded without your knowing. So
 * never retry a write at the end of the data, which could store the bytes twice. Reject instead;
 * the client resumes from what `stat` finds.
 *
 * @param work - Called with the number of the attempt, from 1 on.
 *
 * @example
 * const size = await retry(
 *   () => translated(this.#client.size(path), { 550: 'ERR_DATA_MISSING' }),
 *   { signal },
 * )
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const checked = checkOptions('retry', options, rules)
  const { signal, attempts = 3, delay = 100, maxDelay = 5_000, isWorthIt = isTemporary } = checked
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt >= attempts || !isWorthIt(error)) throw error
    }
    const longest = Math.min(maxDelay, delay * 2 ** (attempt - 1))
    await wait(Math.random() * longest, signal)
  }
}

function isTemporary(error: unknown): boolean {
  return isTusError(error, 'ERR_STORAGE_UNAVAILABLE')
}

/** Resolves after some time, or when the signal aborts. */
function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}
