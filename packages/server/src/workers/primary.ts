import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'tuskit'
import { MemorySpaceCounter } from 'tuskit/limited-store'
import type { Settings } from '../settings/settings.js'
import { ProcessChannel } from './process-channel.js'

/** The processes that serve uploads. */
export interface Workers {
  /** Where they listen. */
  readonly place: string
  /**
   * Calls a function of all of them. Those that end meanwhile, or hang, are left out. Rejects if
   * none responds.
   */
  callAll(method: string): Promise<readonly unknown[]>
  /** Stops them without losing received bytes. */
  stop(): Promise<void>
}

/** A worker that ends sooner has failed, in milliseconds. */
const soon = 5_000
/** The waits after failures in a row, in milliseconds. */
const [firstDelay, longestDelay] = [500, 30_000]
/** How long a worker may take for a call, in milliseconds. */
const patience = 6_000
/** How much longer than `stop-timeout` a worker may take before it is killed, in milliseconds. */
const grace = 5_000

/**
 * Starts the workers, and replaces each that ends. Resolves to `undefined` if the first one cannot
 * serve: it has printed the reason.
 */
export async function startWorkers(
  { workers: number, stopTimeout }: Settings,
  logger: Logger,
): Promise<Workers | undefined> {
  const channels = new Map<Worker, ProcessChannel>()
  const counter = new MemorySpaceCounter()
  let isServing = false
  /** The worker that does what only one of them needs to do. */
  let housekeeper: Worker | undefined
  let isStopping = false
  /** Failures in a row. */
  let failures = 0

  const start = async (): Promise<string | undefined> => {
    const worker = cluster.fork()
    const startedAt = performance.now()
    const listening = new Promise<string>((resolve) => {
      const methods = {
        listening: resolve,
        keepsHouse: () => (housekeeper ??= worker) === worker,
        reserve: (...parameters: Parameters<typeof counter.reserve>) =>
          counter.reserve(...parameters),
        note: (...parameters: Parameters<typeof counter.note>) => counter.note(...parameters),
      }
      channels.set(worker, new ProcessChannel(worker, methods))
    })
    const exited = once(worker, 'exit').then(([code, signal]) => {
      channels.delete(worker)
      if (housekeeper === worker) housekeeper = undefined
      return { code: code as number, signal: signal as string }
    })
    const place = await Promise.race([listening, exited.then(() => undefined)])
    isServing ||= place !== undefined
    void exited.then(async (end) => {
      if (isStopping || !isServing) return
      logger.error('A worker has ended and is replaced', { worker: worker.id, ...end })
      failures = performance.now() - startedAt < soon ? failures + 1 : 0
      if (failures > 0) await wait(Math.min(firstDelay * 2 ** (failures - 1), longestDelay))
      if (!isStopping) await start()
    })
    return place
  }

  const place = await start()
  if (place === undefined) return undefined
  await Promise.all(Array.from({ length: number - 1 }, start))

  return {
    place,
    async callAll(method) {
      const late = wait(patience, undefined, { ref: false }).then(() => {
        throw new Error('The worker does not respond')
      })
      late.catch(() => {})
      const calls = [...channels.values()].map((channel) => channel.call(method))
      const results = await Promise.allSettled(calls.map((call) => Promise.race([call, late])))
      const values = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      if (values.length > 0) return values
      throw new Error('No worker responds')
    },
    async stop() {
      isStopping = true
      const ends = [...channels.keys()].map(async (worker) => {
        const exited = once(worker, 'exit')
        worker.process.kill('SIGTERM')
        const timer = setTimeout(() => worker.process.kill('SIGKILL'), stopTimeout + grace)
        await exited
        clearTimeout(timer)
      })
      await Promise.all(ends)
    },
  }
}
