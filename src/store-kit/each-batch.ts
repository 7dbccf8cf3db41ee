import type { ReadOptions } from '../capabilities/call-options.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import { BatchReader } from './batch-reader.js'

/**
 * Passes each batch of a body to `take`, one after another, and resolves when the body has ended.
 *
 * A `for await` loop would wait for a client that is silent even after the signal has aborted. This
 * function stops waiting at once and rejects with `signal.reason`. It waits for a `take` in
 * progress. When `take` rejects, it rejects with the same error.
 *
 * @param options - The options of the operation. Only `signal` is used.
 *
 * @example
 * await eachBatch(body, options, async (batch) => {
 *   assertMayChange(options)
 *   await file.writev(batch)
 * })
 */
export async function eachBatch(
  body: UploadBody,
  { signal }: ReadOptions,
  take: (batch: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const reader = new BatchReader(body, signal)
  try {
    for (;;) {
      const { done, value } = await reader.next()
      if (done) return
      await take(value)
    }
  } finally {
    reader.close()
  }
}
