import { onTestFinished, vi } from 'vitest'

/**
 * Calls an `open` that gives up by `AbortSignal.timeout`, and lets its time be over at once. The
 * next call has the usual time.
 */
export async function openTooLate(open: () => Promise<void>): Promise<void> {
  const limit = new AbortController()
  vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(limit.signal)
  onTestFinished(() => void vi.restoreAllMocks())
  const opening = open()
  limit.abort(new DOMException('Too long', 'TimeoutError'))
  await opening
}
