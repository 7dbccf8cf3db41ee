/** As `work` settles, unless `signal` aborts before: then its reason, and `undo` gets what comes too late. */
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
