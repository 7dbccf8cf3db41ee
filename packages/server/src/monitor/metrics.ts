import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { HookType } from 'tuskit'

/** Everything that is counted, and the registry that holds it. */
export type Metrics = ReturnType<typeof createMetrics>

/** The methods that tusd counts. They have samples from the beginning. */
const methods = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST']

/** The hooks that tusd has. `access` gets its sample when it is first called. */
const hookTypes: readonly HookType[] = [
  ...(['pre-create', 'post-create', 'post-receive'] as const),
  ...(['pre-finish', 'post-finish', 'pre-terminate', 'post-terminate'] as const),
]

/** From a small read on a local disk to a store that is about to reach its time limit. */
const storeBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** From a lock that was free to a wait of `lockTimeout`. */
const waitBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30]

/**
 * Creates the metrics of one process, in a registry of their own. Those that mean the same as
 * tusd's have its names, types and labels, so that dashboards made for tusd work. All others begin
 * with `tuskit_`, or are the usual ones of a process and of Node.
 */
export function createMetrics() {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers })
  const seconds = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ) => new Histogram({ name, help, buckets, labelNames, registers })

  const metrics = {
    register,
    requests: counter('tusd_requests_total', 'Requests, by effective method', 'method'),
    errors: counter(
      'tusd_errors_total',
      'Responses to errors, by code and status',
      'code',
      'status',
    ),
    bytesReceived: counter('tusd_bytes_received', 'Bytes of uploads that came from clients'),
    created: counter('tusd_uploads_created', 'Uploads that were created'),
    finished: counter('tusd_uploads_finished', 'Uploads that were finished'),
    terminated: counter('tusd_uploads_terminated', 'Uploads that were terminated'),
    connections: new Gauge({
      name: 'tusd_connections_open',
      help: 'Open connections of clients',
      registers,
    }),
    hookInvocations: counter('tusd_hook_invocations_total', 'Calls of hooks, by type', 'hooktype'),
    hookErrors: counter(
      'tusd_hook_errors_total',
      'Calls of hooks that failed, by type',
      'hooktype',
    ),
    hookSeconds: seconds(
      ...(['tuskit_hook_seconds', 'Time that hooks took', storeBuckets, 'hooktype'] as const),
    ),
    bytesStored: counter('tuskit_bytes_stored_total', 'Bytes that stores kept'),
    expired: counter(
      'tuskit_uploads_expired_total',
      'Uploads that were removed because they expired',
    ),
    rejected: counter('tuskit_uploads_rejected_total', 'Uploads that were rejected permanently'),
    storeSeconds: seconds(
      'tuskit_store_seconds',
      'Time that calls of stores took, without the time that they waited for clients',
      storeBuckets,
      'operation',
    ),
    storeErrors: counter(
      ...([
        'tuskit_store_errors_total',
        'Calls of stores that failed',
        'operation',
        'code',
      ] as const),
    ),
    lockSeconds: seconds(
      ...(['tuskit_lock_wait_seconds', 'Waits for locks', waitBuckets, 'requester'] as const),
    ),
    uploads: new Gauge({
      name: 'tuskit_uploads_active',
      help: 'Uploads that requests work on or wait for, by state',
      labelNames: ['state'],
      registers,
    }),
  }
  for (const method of methods) metrics.requests.inc({ method }, 0)
  for (const hooktype of hookTypes) {
    metrics.hookInvocations.inc({ hooktype }, 0)
    metrics.hookErrors.inc({ hooktype }, 0)
  }
  return metrics
}
