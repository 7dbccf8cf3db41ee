import type { Engine } from './engine.js'

/** Ends what comes in, and waits for all work to come to its end, at most `timeout` milliseconds. */
export async function shutdown(engine: Engine, timeout: number): Promise<void> {
  engine.stopping = true
  for (const holder of engine.holders.values()) holder.shutdown()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeout)
  })
  await Promise.race([quiet(engine), late])
  clearTimeout(timer)
}

async function quiet({ holders, background, events }: Engine): Promise<void> {
  while (holders.size > 0 || background.size > 0) {
    await Promise.all([...[...holders.values()].map((holder) => holder.released), ...background])
  }
  await events.idle()
}
