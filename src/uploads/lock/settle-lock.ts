import type { Engine } from '../engine.js'

/**
 * Waits until the lock of an upload is free, or its holder declines to release it (`held`). Returns
 * `undefined` when neither happens in time.
 */
export async function settleLock(
  engine: Engine,
  id: string,
  milliseconds: number,
): Promise<'free' | 'held' | undefined> {
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(), milliseconds)
  try {
    return await engine.stores.locker.settle(id, { signal: waiting.signal })
  } catch (error) {
    if (!waiting.signal.aborted) throw error
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
