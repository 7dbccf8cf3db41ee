import type { IncomingMessage, ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { createHandler, createUploadServer, StoreComposer, type HandlerOptions } from 'tuskit'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { listen, type Site } from '../../../../test/support/serve.js'
import { Monitor, type MonitorOptions } from '../../src/monitor/monitor.js'
import type { LiveUploadReport, WorkerReport } from '../../src/monitor/worker-report.js'

/** A server whose requests, stores and locks are observed. */
export interface WatchedSite extends Site {
  readonly monitor: Monitor
  /** Returns a report that has crossed the border of a process. */
  report(): Promise<WorkerReport>
  /** Returns the values of a metric, by their labels: `DELETE` or `ERR_INTERNAL,500`. */
  values(name: string): Promise<Readonly<Record<string, number>>>
}

export interface WatchedOptions extends Partial<HandlerOptions> {
  readonly monitor?: Partial<MonitorOptions>
}

/** Fills all slots, and that of locks too. */
export function memoryComposer(): StoreComposer {
  return new StoreComposer().use(new MemoryStore(), new MemoryInfoStore(), new MemoryLocker())
}

/** Starts an observed server on a free port, and stops it when the test ends. */
export async function watch({
  monitor: monitorOptions,
  composer = memoryComposer(),
  ...options
}: WatchedOptions = {}): Promise<WatchedSite> {
  const monitor = new Monitor({ worker: 0, ...monitorOptions })
  const handler = createHandler({
    basePath: '/files',
    composer: monitor.observe(composer),
    ...options,
    ...(options.hooks && 'call' in options.hooks && { hooks: monitor.observeHooks(options.hooks) }),
  })
  const observed = monitor.observeRequests(handler)
  const server = createUploadServer(
    (request: IncomingMessage, response: ServerResponse) => {
      const elsewhere = () => void response.writeHead(404).end()
      void observed(request, response, elsewhere)
    },
    { handler },
  )
  monitor.observeConnections(server)
  const port = await listen(server)
  onTestFinished(() => server.stop({ timeout: 1_000 }))
  const report = async () => JSON.parse(JSON.stringify(await monitor.report())) as WorkerReport
  const values = async (name: string) => valuesOf(await report(), name)
  return { origin: `http://127.0.0.1:${port}`, port, handler, server, monitor, report, values }
}

/** Returns the values of a metric in a report. Of a histogram, the counts. */
export function valuesOf({ metrics }: WorkerReport, name: string): Record<string, number> {
  const metric = metrics.find((one) => one.name === name)
  if (metric === undefined) throw new Error(`There is no metric ${name}`)
  const values = metric.values as readonly {
    readonly metricName?: string
    readonly labels: object
    readonly value: number
  }[]
  return Object.fromEntries(
    values
      .filter(({ metricName = name }) => metricName === name || metricName === `${name}_count`)
      .map(({ labels, value }) => [Object.values(labels).join(), value]),
  )
}

/** Returns an upload of a report. */
export function uploadIn({ uploads }: WorkerReport, id: string): LiveUploadReport | undefined {
  return uploads.find((upload) => upload.id === id)
}
