import type { Engine } from './engine.js'
import { TusError } from '../errors.js'
import { withTimeout } from '../with-timeout.js'

/** Time that a close gets after all time is used up, in milliseconds. */
const shortest = 1_000

/** Stops all incoming bodies, then waits up to `timeout` milliseconds for all work to end. */
export async function shutdown(engine: Engine, timeout: number): Promise<void> {
  engine.stopping = true
  for (const holder of engine.holders.values()) holder.shutdown()
  await atMost(timeout, idle(engine))
}

/**
 * Shuts down, refuses everything from then on, and releases the stores. For up to `timeout`
 * milliseconds, waits for the work and the downloads that use them. Never rejects.
 */
export async function close(engine: Engine, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout
  const left = () => Math.max(0, deadline - performance.now())
  await shutdown(engine, timeout)
  engine.closed = true
  if (engine.lifecycles.areNone) return
  // Until now, new HEADs were served.
  await atMost(left(), Promise.all([idle(engine), engine.contents.ended()]))
  engine.contents.destroy(new TusError('ERR_SERVER_SHUTDOWN'))
  const limit = Math.min(Math.max(left(), shortest), engine.settings.storeTimeout)
  await engine.lifecycles.release(limit, engine.log)
}

/** Resolves when nothing is in progress. Never rejects. */
async function idle({ holders, background, events, deliveries }: Engine): Promise<void> {
  while (holders.size > 0 || background.size > 0) {
    await Promise.all([...[...holders.values()].map((holder) => holder.released), ...background])
  }
  await events.idle()
  await deliveries?.stop()
}

/** Waits for work that never rejects. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const timeoutError = () => new Error('Work continues after the shutdown')
  await withTimeout(milliseconds, work, timeoutError).catch(() => {})
}
