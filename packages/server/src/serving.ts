import type { RequestListener } from 'node:http'
import type { Handler, Logger } from 'tuskit'
import type { SpaceCounter } from 'tuskit/limited-store'
import { createHooks } from './create-hooks.js'
import { createUploadHandler } from './create-upload-handler.js'
import { createServer } from './listen/create-server.js'
import { listen } from './listen/listen.js'
import { logRequests } from './log-requests.js'
import { openParts } from './parts/open-parts.js'
import { servePage } from './serve-page.js'
import { SettingError } from './settings/setting-error.js'
import type { Settings } from './settings/settings.js'

/** A server for uploads that listens. */
export interface Serving {
  /** Where it listens, as a person would write it. */
  readonly place: string
  readonly handler: Handler
  /** Stops without losing received bytes. */
  stop(): Promise<void>
  /** Reads the certificate again. */
  reload(): void
}

/** Starts to serve uploads as the settings say. */
export async function startServing(
  settings: Settings,
  logger: Logger,
  counter?: SpaceCounter,
): Promise<Serving> {
  const { composer, plugins } = await openParts(settings, logger, counter)
  const hooks = await createHooks(settings, plugins, logger)
  const handler = createUploadHandler(settings, composer, hooks, logger)
  const server = createServer(settings, logRequests(listenerOf(settings, handler), logger), handler)
  try {
    await handler.open()
  } catch (error) {
    throw new SettingError(`The stores cannot be opened: ${reasonOf(error)}`, { cause: error })
  }
  const place = await listen(server, settings)
  void handler.uploads.finishPending().catch((error: unknown) => {
    logger.warn('Uploads of an earlier run could not be finished', { error })
  })
  return {
    place,
    handler,
    stop: () => server.stop({ timeout: settings.stopTimeout }),
    reload() {
      try {
        server.reload?.()
        logger.info('The certificate was read again', {})
      } catch (error) {
        logger.error('The certificate could not be read again; the old one stays', { error })
      }
    },
  }
}

/** Returns the reason that an error gives, with that of its cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message} (${cause.message})` : message
}

function listenerOf({ page, basePath }: Settings, handler: Handler): RequestListener {
  if (!page) return (request, response) => void handler(request, response)
  return (request, response) => {
    void handler(request, response, () => servePage(request, response, basePath))
  }
}
