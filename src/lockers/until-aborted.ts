/**
 * Returns a promise that rejects when `signal` aborts. The function from `start` then undoes its
 * work.
 */
export function untilAborted<T>(
  signal: AbortSignal,
  start: (resolve: (value: T) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const onAbort = () => {
      stop()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const stop = start((value) => {
      signal.removeEventListener('abort', onAbort)
      resolve(value)
    })
  })
}
