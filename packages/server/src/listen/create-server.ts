import type { RequestListener } from 'node:http'
import type { Server } from 'node:net'
import { createUploadServer, type Handler } from 'tuskit'
import type { Settings } from '../settings/settings.js'
import { SettingError } from '../settings/setting-error.js'
import { createSecureServer } from './secure-server.js'

/** A server that stops without losing received bytes. */
export interface StoppableServer extends Server {
  /** Ends running requests, stores what arrived, and closes the server and the handler. */
  stop(options: { readonly timeout: number }): Promise<void>
  /** Reads the certificate again. Absent without TLS. */
  reload?(): void
}

/** Returns a server for HTTP, or for HTTPS if the settings have a certificate. */
export function createServer(
  settings: Settings,
  listener: RequestListener,
  handler: Handler,
): StoppableServer {
  const isSecure = settings.tlsCert !== undefined || settings.tlsKey !== undefined
  try {
    return isSecure
      ? createSecureServer(settings, listener, handler)
      : createUploadServer(listener, { handler })
  } catch (error) {
    if (error instanceof SettingError || !isSecure) throw error
    throw new SettingError(`The certificate is wrong: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
