import type { UploadBody } from '../capabilities/upload-body.js'

/** The batches of a body. Rejects with `signal.reason` when the signal aborts while none comes. */
export async function* batches(
  body: UploadBody,
  signal: AbortSignal,
): AsyncGenerator<readonly Buffer[], void> {
  const iterator = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    // Not awaited: a body that is waiting for its client would hold it up.
    void iterator.return?.()
  }
}

/** A listener per wait: `Promise.race` would leave something behind on the signal's promise each time. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
