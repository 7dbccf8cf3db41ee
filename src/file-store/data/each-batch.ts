import type { UploadBody } from '../../capabilities/upload-body.js'

/**
 * Passes each batch of a body to `take`, one after another. Rejects with `signal.reason` when the
 * signal aborts while it waits for a batch.
 */
export async function eachBatch(
  body: UploadBody,
  signal: AbortSignal,
  take: (batch: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const iterator = body[Symbol.asyncIterator]()
  let giveUp: ((reason: unknown) => void) | undefined
  const onAbort = () => giveUp?.(signal.reason)
  // One listener for all waits: `Promise.race` would leave a reaction on the signal's promise each
  // time.
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
    // Not awaited, because a body that waits for its client would block here.
    void iterator.return?.()
  }
}
