import { createHandler, type Handler, type HookBackend, type Logger } from 'tuskit'
import { FileOutbox } from 'tuskit/file-store'
import type { StoreComposer } from 'tuskit'
import { SettingError } from './settings/setting-error.js'
import type { Settings } from './settings/settings.js'

/**
 * Returns a handler with the options that the settings describe.
 *
 * @param sweeps - Whether it removes expired uploads by a timer.
 */
export function createUploadHandler(
  settings: Settings,
  composer: StoreComposer,
  hooks: readonly HookBackend[],
  logger: Logger,
  sweeps = false,
): Handler {
  const { expireAfter: after, expireFinishedAfter: finishedAfter, sweepEvery } = settings
  const { maxSize, maxAppendSize, disable, behindProxy, publicUrl, checksumMetadata } = settings
  const expires = after !== undefined || finishedAfter !== undefined
  const { hooksOutbox: directory } = settings
  try {
    return createHandler({
      basePath: settings.basePath,
      composer,
      hooks,
      logger,
      cors: corsOf(settings),
      interimResponses: settings.interimResponses,
      lockTimeout: settings.lockTimeout,
      idleTimeout: settings.idleTimeout,
      progressInterval: settings.hooksProgressEvery,
      ...(directory && {
        outbox: new FileOutbox({ directory }),
        outboxRetention: settings.hooksOutboxRetention,
      }),
      ...(hooks.length > 0 && { hookTimeout: hookTimeoutOf(settings) }),
      ...(maxSize && { maxSize }),
      ...(maxAppendSize && { maxAppendSize }),
      ...(disable && { disable }),
      ...(behindProxy && { trustProxy: behindProxy }),
      ...(publicUrl && { location: publicUrl }),
      ...(checksumMetadata && { checksumMetadata }),
      ...(expires && {
        expiration: {
          ...(after && { after }),
          ...(finishedAfter && { finishedAfter }),
          ...(sweeps && { sweepEvery }),
        },
      }),
    })
  } catch (error) {
    throw new SettingError(inSettings((error as Error).message), { cause: error })
  }
}

/** The settings for options with other names. */
const flags: Readonly<Record<string, string>> = {
  trustProxy: 'behind-proxy',
  location: 'public-url',
  'cors.origins': 'cors',
  'cors.credentials': 'cors-credentials',
  'cors.allowHeaders': 'cors-allow-headers',
  'cors.exposeHeaders': 'cors-expose-headers',
  'expiration.after': 'expire-after',
  'expiration.finishedAfter': 'expire-finished-after',
  'expiration.sweepEvery': 'sweep-every',
}

/** Replaces the name of an option in a message with the flag of its setting. */
function inSettings(message: string): string {
  return message.replace(/^createHandler: option '([\w.]+)(\[\d+\])?'/, (_, option: string) => {
    return `--${flags[option] ?? option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  })
}

/** The longest time that a hook takes: all attempts to reach a URL, and the waits between them. */
function hookTimeoutOf({ hooksTimeout, hooksHttpAttempts, hooksHttpBackoff }: Settings): number {
  const waits = hooksHttpBackoff * (2 ** (hooksHttpAttempts - 1) - 1)
  return Math.min(hooksTimeout * hooksHttpAttempts + waits * 2 + 1_000, 2_147_483_647)
}

function corsOf({ cors, corsCredentials, corsAllowHeaders, corsExposeHeaders }: Settings) {
  if (cors === undefined) return false
  return {
    origins: cors.includes('*') ? ('*' as const) : cors,
    credentials: corsCredentials,
    allowHeaders: corsAllowHeaders ?? [],
    exposeHeaders: corsExposeHeaders ?? [],
  }
}
