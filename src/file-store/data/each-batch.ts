import type { UploadBody } from '../../capabilities/upload-body.js'

/**
 * Gives each batch of a body to `take`, one after the other. Rejects with `signal.reason` when the signal aborts while
 * none comes.
 */
export async function eachBatch(
  body: UploadBody,
  signal: AbortSignal,
  take: (batch: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const iterator = body[Symbol.asyncIterator]()
  let giveUp: ((reason: unknown) => void) | undefined
  const onAbort = () => giveUp?.(signal.reason)
  // Once, not for each wait; `Promise.race` would leave something behind on the signal's promise each time.
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await new Promise<IteratorResult<readonly Buffer[]>>((resolve, reject) => {
        giveUp = reject
        iterator.next().then(resolve, reject)
      })
      if (next.done) return
      await take(next.value)
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a body that is waiting for its client would hold it up.
    void iterator.return?.()
  }
}
