import type { ReadOptions } from '../../capabilities/call-options.js'
import type { TimeLimit } from './time-limit.js'
import { unlessAborted } from '../../unless-aborted.js'

/**
 * Yields the items that `start` finds. Throws what `timeoutError` makes when the next one takes
 * longer than the limit, and the signal's reason as soon as it aborts, whether the store heeds its
 * own signal or not.
 */
export async function* boundedScan<T>(
  limit: TimeLimit,
  start: (options: ReadOptions) => AsyncIterable<T>,
  timeoutError: () => Error,
  signal: AbortSignal,
): AsyncGenerator<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const items = start({ signal: controller.signal })[Symbol.asyncIterator]()
  const onAbort = () => controller.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      const taking = limit.run({ start: () => items.next(), timeoutError })
      const next = await unlessAborted(signal, taking)
      if (next.done) return
      yield next.value
    }
  } catch (error) {
    controller.abort(error)
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a store that hangs would hold up its caller here.
    void items.return?.()?.catch(() => {})
  }
}
