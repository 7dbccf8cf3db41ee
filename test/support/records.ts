import { setMaxListeners } from 'node:events'
import type { Upload } from 'tuskit'

/** For any number of calls at the same time. */
export const noAbort = { signal: new AbortController().signal }
setMaxListeners(0, noAbort.signal)

/** Returns a record at its first revision. */
export function recordOf(id: string, members: Partial<Upload> = {}): Upload {
  return {
    id,
    revision: 1,
    protocol: 'tus',
    length: 0,
    metadata: { raw: '', values: {} },
    storage: { kind: 'test', at: {} },
    createdAt: '2026-01-02T03:04:05.678Z',
    finish: 'implied',
    state: { kind: 'open' },
    ...members,
  }
}
