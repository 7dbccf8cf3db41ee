/** Options of {@link within}. */
export interface Limit {
  readonly milliseconds: number
  /** Ends the work earlier. */
  readonly signal: AbortSignal
  /** Makes the error for work that takes longer. */
  readonly timeoutError: () => Error
}

/**
 * Runs work with a signal that aborts after some time, or with another signal. Unlike
 * `AbortSignal.any`, it leaves nothing at the other signal.
 */
export async function within<T>(
  { milliseconds, signal, timeoutError }: Limit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(timeoutError()), milliseconds)
  const onAbort = () => controller.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
