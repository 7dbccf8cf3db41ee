import type { Server } from 'node:net'
import { StoreComposer, type HookBackend } from 'tuskit'
import { LiveUploads } from './live-uploads.js'
import { createMetrics } from './metrics.js'
import { observedDataStore, observedVerifiedAppender, type Observation } from './observed-data.js'
import { observedHooks } from './observed-hooks.js'
import { observedLocker } from './observed-locker.js'
import { observedRequests, type Listener } from './observed-requests.js'
import {
  observedInfoStore,
  timedConcatenator,
  timedContentReader,
  timedFinisher,
  timedTerminator,
} from './observed-slots.js'
import { StoreTimer } from './store-timer.js'
import { UploadChanges } from './upload-changes.js'
import type { WorkerReport } from './worker-report.js'

/** Options of {@link Monitor}. */
export interface MonitorOptions {
  /** The number of this process among those that serve, from 0. */
  readonly worker: number
  /**
   * Milliseconds without a byte after which an upload counts as stalled.
   * @default 10000
   */
  readonly stalledAfter?: number
}

/**
 * Observes one serving process: its requests, stores, locks and hooks. Everything passes through
 * unchanged. Nothing is stored, so observing costs no I/O.
 *
 * @example
 * const monitor = new Monitor({ worker: 0 })
 * const composer = monitor.observe(new StoreComposer().use(store, infoStore, locker))
 * const handler = createHandler({ basePath, composer, hooks: monitor.observeHooks(hooks) })
 * const server = createUploadServer(monitor.observeRequests(handler), { handler })
 * monitor.observeConnections(server)
 */
export class Monitor {
  readonly #worker: number
  readonly #stalledAfter: number
  readonly #startedAt = new Date().toISOString()
  readonly #observation: Observation
  readonly #backends = new WeakMap<HookBackend, HookBackend>()

  /** Throws a `TypeError` if an option is wrong. */
  constructor({ worker, stalledAfter = 10_000 }: MonitorOptions) {
    if (!Number.isSafeInteger(worker) || worker < 0) {
      throw new TypeError(`Monitor: option 'worker' must be a whole number from 0, not ${worker}`)
    }
    if (!(stalledAfter > 0)) {
      throw new TypeError(`Monitor: option 'stalledAfter' must be above 0, not ${stalledAfter}`)
    }
    const metrics = createMetrics()
    this.#worker = worker
    this.#stalledAfter = stalledAfter
    this.#observation = {
      metrics,
      live: new LiveUploads(),
      changes: new UploadChanges(metrics),
      timer: new StoreTimer(metrics),
    }
  }

  /**
   * Returns a composer with the same slots, observed. Observe a composer once, and use only the
   * result: a handler recognises a store that it shares by its identity. An empty slot for locks
   * stays empty, because to fill it would cost the handler more calls of the store. Then an upload
   * has a holder only while its bytes come.
   */
  observe(composer: StoreComposer): StoreComposer {
    const { timer } = this.#observation
    const slots = composer.slots()
    const { dataStore, finisher, verifiedAppender, terminator, concatenator, contentReader } = slots
    const { infoStore, expiryIndex, infoLister, locker, lifecycles = [] } = slots
    const observed = new StoreComposer()
    if (dataStore) observed.useDataStore(observedDataStore(dataStore, this.#observation))
    if (finisher) observed.useFinisher(timedFinisher(finisher, timer))
    if (verifiedAppender) {
      observed.useVerifiedAppender(observedVerifiedAppender(verifiedAppender, this.#observation))
    }
    if (terminator) observed.useTerminator(timedTerminator(terminator, timer))
    if (concatenator) observed.useConcatenator(timedConcatenator(concatenator, timer))
    if (contentReader) observed.useContentReader(timedContentReader(contentReader, timer))
    if (infoStore) observed.useInfoStore(observedInfoStore(infoStore, this.#observation))
    if (expiryIndex) observed.useExpiryIndex(expiryIndex)
    if (infoLister) observed.useInfoLister(infoLister)
    if (locker) observed.useLocker(observedLocker(locker, this.#observation))
    for (const object of lifecycles) observed.useLifecycle(object)
    return observed
  }

  /** Returns a backend that counts its calls. The same backend gives the same result. */
  observeHooks(hooks: HookBackend): HookBackend {
    const observed = this.#backends.get(hooks) ?? observedHooks(hooks, this.#observation.metrics)
    this.#backends.set(hooks, observed)
    return observed
  }

  /**
   * Returns a listener that counts requests and errors. Pass it the handler itself, so that only
   * requests for uploads count: those that the handler passes to `next` do not.
   */
  observeRequests(listener: Listener): Listener {
    return observedRequests(listener, this.#observation)
  }

  /** Counts the open connections of a server. Call it before the server listens. */
  observeConnections(server: Server): void {
    const { connections } = this.#observation.metrics
    server.on('connection', (socket) => {
      connections.inc()
      socket.once('close', () => connections.dec())
    })
  }

  /** Returns everything that was observed, as plain data. */
  async report(): Promise<WorkerReport> {
    const { live, metrics } = this.#observation
    for (const [state, count] of live.count(this.#stalledAfter)) {
      metrics.uploads.set({ state }, count)
    }
    return {
      worker: this.#worker,
      pid: process.pid,
      startedAt: this.#startedAt,
      metrics: await metrics.register.getMetricsAsJSON(),
      uploads: live.report(this.#worker, this.#stalledAfter),
      ended: live.ended,
      errors: live.errors,
    }
  }
}
