import { AggregatorRegistry } from 'prom-client'
import type { MetricsJson, WorkerReport } from '../monitor/worker-report.js'

/** The number of processes that have ended whose counters are kept apart. */
const maxEnded = 16

/** Gauges whose sum over all processes would mean nothing. */
const aggregators: Readonly<Record<string, string>> = {
  process_start_time_seconds: 'min',
  process_max_fds: 'max',
}

/**
 * Adds up the metrics of all processes. The counters of a process that has ended stay in the sum:
 * Prometheus takes every decrease for a restart of the whole server, and would count everything
 * before it twice.
 */
export class MetricsPage {
  readonly contentType = AggregatorRegistry.PROMETHEUS_CONTENT_TYPE
  /** The counters in the last report of each process, in the order of their first reports. */
  readonly #counters = new Map<string, MetricsJson>()
  /** The sum of counters that are not kept apart any more. */
  #sum: MetricsJson = []

  /** Returns the page as Prometheus reads it. Wait for each call before the next one. */
  async print(reports: readonly WorkerReport[]): Promise<string> {
    const present = new Set(reports.map(nameOf))
    for (const report of reports) this.#counters.set(nameOf(report), countersOf(report))
    const ended = [...this.#counters].filter(([name]) => !present.has(name))
    const page = [...reports.map(gauged), ...ended.map(([, counters]) => counters), this.#sum]
    for (const [name, counters] of ended.slice(0, -maxEnded)) {
      this.#counters.delete(name)
      this.#sum = await AggregatorRegistry.aggregate([this.#sum, counters]).getMetricsAsJSON()
    }
    return AggregatorRegistry.aggregate(page).metrics()
  }
}

function nameOf({ worker, pid, startedAt }: WorkerReport): string {
  return `${worker} ${pid} ${startedAt}`
}

function countersOf({ metrics }: WorkerReport): MetricsJson {
  const types = ['counter', 'histogram']
  return metrics.filter(({ type }) => types.includes(String(type)))
}

function gauged({ metrics }: WorkerReport): MetricsJson {
  return metrics.map((metric) => {
    const aggregator = aggregators[metric.name]
    return aggregator === undefined ? metric : { ...metric, aggregator }
  }) as MetricsJson
}
