/**
 * Returns the result of `work`, unless `signal` aborts first or the time is over: then it rejects
 * with the error from `late`. The work itself continues.
 */
export async function withTimeout<T>(
  milliseconds: number,
  signal: AbortSignal,
  work: Promise<T>,
  late: () => Error,
): Promise<T> {
  let stop!: () => void
  const ended = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason)
    const timer = setTimeout(() => reject(late()), milliseconds)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([work, ended])
  } finally {
    stop()
  }
}
