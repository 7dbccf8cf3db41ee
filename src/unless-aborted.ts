/**
 * Settles as `work` does. If `signal` aborts first, rejects with its reason, and `undo` gets the
 * late result.
 *
 * Use it where a client of your storage takes no signal, and end what the client still does, such
 * as by closing its connection.
 *
 * @example
 * try {
 *   return await unlessAborted(signal, client.size(path))
 * } catch (error) {
 *   client.close()
 *   throw error
 * }
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
