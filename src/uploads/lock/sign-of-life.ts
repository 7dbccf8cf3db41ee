import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { IncomingBody } from '../../capabilities/incoming-body.js'

/** Milliseconds of silence that show that all buffers on the way are empty. */
const pause = 50
/** Milliseconds between two checks. */
const interval = 10

/**
 * Waits until a client shows whether it lives, at most `limit` milliseconds: its next byte shows
 * that it does, the end of its body that it does not.
 *
 * Bytes that were in transit when a connection broke prove nothing. They come in without a pause,
 * so the byte that counts is the first one after a pause.
 */
export async function signOfLife(body: IncomingBody, limit: number): Promise<void> {
  const deadline = performance.now() + limit
  const ended = body.ended.then(() => true)
  let paused = false
  for (let left = limit; left > 0; left = deadline - performance.now()) {
    if (await Promise.race([ended, look(Math.min(interval, left))])) return
    const isPaused = body.idleTime() >= pause
    if (paused && !isPaused) return
    paused = isPaused
  }
}

/**
 * A busy event loop runs timers before it reads what has come meanwhile; a turn later it has read
 * it.
 */
async function look(milliseconds: number): Promise<false> {
  await sleep(milliseconds)
  await turn()
  return false
}
