/** The result of `work`, unless `signal` aborts before, or it takes longer: then what `late` makes. The work goes on. */
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
