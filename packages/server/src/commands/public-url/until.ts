import { setTimeout } from 'node:timers/promises'

/**
 * Looks again and again until `look` returns `true`. Returns whether it did before the signal
 * aborted or the time was over. A look that fails counts as `false`.
 */
export async function until(
  look: () => Promise<boolean>,
  {
    signal,
    every = 100,
    timeout = Infinity,
  }: { readonly signal: AbortSignal; readonly every?: number; readonly timeout?: number },
): Promise<boolean> {
  const deadline = performance.now() + timeout
  while (!signal.aborted) {
    if (await look().catch(() => false)) return true
    if (performance.now() >= deadline) return false
    await setTimeout(every, undefined, { signal }).catch(() => {})
  }
  return false
}
