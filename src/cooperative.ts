import { setImmediate } from 'node:timers/promises'

/** Milliseconds of work after which the event loop may run. */
const timeSlice = 5

/**
 * Yields the same items, but lets the event loop run every few milliseconds. Use it in loops over
 * all uploads: if each step settles at once, as in memory and on a local disk, `await` alone never
 * lets a request in.
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
