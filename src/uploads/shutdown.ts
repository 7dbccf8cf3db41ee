import type { Engine } from './engine.js'
import { withTimeout } from '../with-timeout.js'

/** Stops all incoming bodies, then waits up to `timeout` milliseconds for all work to end. */
export async function shutdown(engine: Engine, timeout: number): Promise<void> {
  engine.stopping = true
  for (const holder of engine.holders.values()) holder.shutdown()
  const timeoutError = () => new Error('Work continues after the shutdown')
  await withTimeout(timeout, idle(engine), timeoutError).catch(() => {})
}

/** Resolves when nothing is in progress. Never rejects. */
async function idle({ holders, background, events }: Engine): Promise<void> {
  while (holders.size > 0 || background.size > 0) {
    await Promise.all([...[...holders.values()].map((holder) => holder.released), ...background])
  }
  await events.idle()
}
