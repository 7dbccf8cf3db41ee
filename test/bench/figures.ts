/** The figures of one round, by key. */
export type Figures = Readonly<Record<string, number>>

/** A kind of figure. */
export interface Figure {
  readonly key: string
  readonly title: string
}

/** Figures of every workload that moves bytes. */
export const bytesFigures: readonly Figure[] = [
  { key: 'rate', title: 'MiB/s' },
  { key: 'cpu', title: 'CPU s/GiB' },
]
const requests: readonly Figure[] = [
  { key: 'rate', title: 'requests/s' },
  { key: 'cpu', title: 'CPU s/1,000' },
]
const rest: readonly Figure[] = [
  { key: 'peak', title: 'peak MiB' },
  { key: 'p50', title: 'p50 ms' },
  { key: 'p99', title: 'p99 ms' },
]

/**
 * Figures of workloads that move bytes. The latencies are those of other requests in the meantime.
 */
export const transferFigures: readonly Figure[] = [...bytesFigures, ...rest]

/** Figures of workloads of many requests. The latencies are those of these requests. */
export const requestFigures: readonly Figure[] = [...requests, ...rest]
