/**
 * Returns the result of `work`. When it takes longer, throws what `timeoutError` makes; when
 * `signal` aborts first, throws its reason. Either way the work continues.
 */
export async function withTimeout<T>(
  milliseconds: number,
  work: Promise<T>,
  timeoutError: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  let stop!: () => void
  const ended = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal!.reason)
    const timer = setTimeout(() => reject(timeoutError()), milliseconds)
    stop = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
  })
  try {
    return await Promise.race([work, ended])
  } finally {
    stop()
  }
}
