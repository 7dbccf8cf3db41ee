import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { IncomingBody } from '../../capabilities/incoming-body.js'

/** Milliseconds of silence that show that all buffers in transit are empty. */
const pause = 50
/** Milliseconds between two checks. */
const interval = 10

/**
 * Waits for a sign that a client is alive or gone, for at most `limit` milliseconds, and until it
 * has been silent for `stalledAfter` milliseconds. Its next byte shows that it is alive, and the
 * end of its body shows that it is gone. Returns whether it was silent instead.
 *
 * Bytes that were in transit when a connection broke prove nothing. They come in without a pause,
 * so the byte that counts is the first one after a pause.
 */
export async function signOfLife(
  body: IncomingBody,
  limit: number,
  stalledAfter: number,
): Promise<boolean> {
  const deadline = performance.now() + limit
  const ended = body.ended.then(() => true)
  let paused = false
  for (let left = limit; left > 0; left = deadline - performance.now()) {
    if (await Promise.race([ended, look(Math.min(interval, left))])) return false
    const idleTime = body.idleTime()
    if (idleTime >= stalledAfter) return true
    const isPaused = idleTime >= pause
    if (paused && !isPaused) return false
    paused = isPaused
  }
  return paused
}

/**
 * Waits for a timer and one more turn. A busy event loop runs timers before it reads bytes that
 * have arrived in the meantime; a turn later, it has read them.
 */
async function look(milliseconds: number): Promise<false> {
  await sleep(milliseconds)
  await turn()
  return false
}
