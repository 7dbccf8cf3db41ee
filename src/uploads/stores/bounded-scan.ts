import type { ReadOptions } from '../../capabilities/call-options.js'
import type { TimeLimit } from './time-limit.js'
import { unlessAborted } from './unless-aborted.js'

/**
 * The items that `start` finds. Rejects with what `late` returns when the next one takes longer than the limit, and with
 * the signal's reason as soon as that aborts, whether the store heeds the signal that it gets or not.
 */
export async function* boundedScan<T>(
  limit: TimeLimit,
  start: (options: ReadOptions) => AsyncIterable<T>,
  late: () => Error,
  signal: AbortSignal,
): AsyncGenerator<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const items = start({ signal: controller.signal })[Symbol.asyncIterator]()
  const onAbort = () => controller.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      const taking = limit.run({ start: () => items.next(), late })
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
