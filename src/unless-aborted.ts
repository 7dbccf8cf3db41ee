/**
 * Settles as `work` does. If `signal` aborts first, rejects with its reason, and `undo` gets the
 * late result.
 */
export function unlessAborted<T>(
  signal: AbortSignal,
  work: Promise<T>,
  undo?: (late: T) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason)
      if (undo !== undefined) work.then(undo).catch(() => {})
    }
    const forget = () => signal.removeEventListener('abort', onAbort)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(
      (value) => {
        forget()
        resolve(value)
      },
      (error: unknown) => {
        forget()
        reject(error)
      },
    )
    if (signal.aborted) onAbort()
  })
}
