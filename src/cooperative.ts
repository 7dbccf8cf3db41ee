import { setImmediate } from 'node:timers/promises'

/** Milliseconds of work after which the event loop gets its turn. */
const timeSlice = 5

/**
 * The same items, but while you work on them the event loop gets its turn every few milliseconds. For loops over all
 * uploads: where each step is done at once, as in memory and on a local disk, `await` alone never lets a request in.
 */
export async function* cooperative<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  let began = performance.now()
  for await (const item of items) {
    yield item
    if (performance.now() - began < timeSlice) continue
    await setImmediate()
    began = performance.now()
  }
}
