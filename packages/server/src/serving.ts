import cluster from 'node:cluster'
import type { RequestListener } from 'node:http'
import type { Handler, Logger, StoreComposer } from 'tuskit'
import type { SpaceCounter } from 'tuskit/limited-store'
import { createHooks } from './create-hooks.js'
import { createUploadHandler } from './create-upload-handler.js'
import { explained } from './explain.js'
import { createServer } from './listen/create-server.js'
import { listenForUploads } from './listen/listen.js'
import { logRequests } from './log-requests.js'
import { Monitor } from './monitor/monitor.js'
import type { WorkerReport } from './monitor/worker-report.js'
import { openParts } from './parts/open-parts.js'
import { failuresOf } from './readiness.js'
import { servePage } from './serve-page.js'
import { SettingError } from './settings/setting-error.js'
import type { Settings } from './settings/settings.js'

/** A server for uploads that listens. */
export interface Serving {
  /** Where it listens, as a person would write it. */
  readonly place: string
  /** Returns everything that was observed. Only with the setting `admin`. */
  report(): Promise<WorkerReport>
  /** Returns why uploads cannot be stored right now, in sentences without internals. */
  ready(): Promise<readonly string[]>
  /** Reads the certificate again. */
  reload(): void
  /** Stops without losing received bytes. */
  stop(): Promise<void>
}

/** The state that several processes share which serve the same uploads. */
export interface Shared {
  readonly counter: SpaceCounter
  /** Whether this process removes expired uploads, and finishes those of an earlier run. */
  readonly keepsHouse: boolean
}

/** Starts to serve uploads as the settings say. */
export async function startServing(
  settings: Settings,
  logger: Logger,
  shared?: Shared,
): Promise<Serving> {
  const { keepsHouse = true } = shared ?? {}
  const worker = cluster.worker?.id ?? 1
  const monitor = settings.admin === undefined ? undefined : new Monitor({ worker })
  const { composer: own, plugins } = await openParts(settings, logger, shared?.counter)
  const composer = monitor?.observe(own) ?? own
  const backends = await createHooks(settings, plugins, logger)
  const hooks = backends.map((hook) => monitor?.observeHooks(hook) ?? hook)
  const handler = createUploadHandler(settings, composer, hooks, logger, keepsHouse)
  const listener = monitor?.observeRequests(handler) ?? handler
  const withPage = listenerOf(settings, listener as Handler)
  const server = createServer(settings, logRequests(withPage, logger, settings.basePath), handler)
  monitor?.observeConnections(server)
  let place: string
  try {
    await handler.open().catch((error: unknown) => {
      throw new SettingError(`The stores cannot be opened: ${explained(error)}`, { cause: error })
    })
    await checkUsable(own)
    place = await listenForUploads(server, settings)
  } catch (error) {
    // Otherwise what is open would keep the process running.
    await server.stop({ timeout: settings.stopTimeout })
    throw error
  }
  if (keepsHouse) {
    void handler.uploads.finishPending().catch((error: unknown) => {
      logger.warn('Uploads of an earlier run could not be finished', { error })
    })
  }
  return {
    place,
    report: () => monitor!.report(),
    ready: async () => [...(await failuresOf(own)).keys()],
    reload() {
      if (server.reload === undefined) return
      try {
        server.reload()
        logger.info('The certificate was read again', {})
      } catch (error) {
        logger.error('The certificate could not be read again; the old one stays', { error })
      }
    },
    stop: () => server.stop({ timeout: settings.stopTimeout }),
  }
}

/** Throws if the stores cannot be used, so that a mistake shows at the start. */
async function checkUsable(composer: StoreComposer): Promise<void> {
  const failures = await failuresOf(composer)
  const [first] = failures.values()
  if (first === undefined) return
  throw new SettingError(`${[...failures.keys()][0]} ${explained(first)}`, { cause: first })
}

function listenerOf({ page, basePath }: Settings, handler: Handler): RequestListener {
  if (!page) return (request, response) => void handler(request, response)
  return (request, response) => {
    void handler(request, response, () => servePage(request, response, basePath))
  }
}
