import type { ServerHttp2Stream } from 'node:http2'
import { afterEach, expect, test, vi } from 'vitest'
import { roundTrip } from '../../src/http/http2-stream.js'

afterEach(() => void vi.useRealTimers())

/** A fake: Node's session responds like this when the maximum number of PINGs is pending. */
function congested() {
  let pings = 0
  const ping = (callback: (error: Error) => void) => {
    pings++
    callback(new Error('too many'))
  }
  const stream = { destroyed: false, session: { destroyed: false, closed: false, ping } }
  return { stream, count: () => pings }
}

test('a PING is retried as long as its stream exists', async () => {
  vi.useFakeTimers()
  const { stream, count } = congested()
  void roundTrip(stream as unknown as ServerHttp2Stream)
  await vi.advanceTimersByTimeAsync(1_000)
  const before = count()
  expect(before).toBeGreaterThan(1)
  stream.destroyed = true
  await vi.advanceTimersByTimeAsync(60_000)
  expect([count(), vi.getTimerCount()]).toEqual([before, 0])
})
