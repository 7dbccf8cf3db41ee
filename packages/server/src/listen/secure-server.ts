import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import type { TlsOptions } from 'node:tls'
import type { RequestListener } from 'node:http'
import type { Handler } from 'tuskit'
import { SettingError } from '../settings/setting-error.js'
import type { Settings } from '../settings/settings.js'
import type { StoppableServer } from './create-server.js'

type TlsSettings = Pick<Settings, 'tlsCert' | 'tlsKey'>

/**
 * How many bytes an HTTP/2 client may send before it waits for a round trip. With Node's 64 KiB, an
 * upload over 80 ms gets 0.8 MB a second.
 */
const windowSize = 1_048_576

/** Returns a server for HTTPS that speaks HTTP/2, and HTTP/1.1 to clients that know no other. */
export function createSecureServer(
  settings: TlsSettings,
  listener: RequestListener,
  handler: Handler,
): StoppableServer {
  const maxHeaderSize = 65_536
  const options = { allowHTTP1: true, maxHeaderSize, keepAliveTimeout: 65_000 }
  const server = http2.createSecureServer(
    { ...options, settings: { initialWindowSize: windowSize }, ...readCertificate(settings) },
    listener as unknown as (
      request: http2.Http2ServerRequest,
      response: http2.Http2ServerResponse,
    ) => void,
  )
  server.on('checkContinue', listener)
  // Over HTTP/1.1, Node would end every request after five minutes, and refuse headers of 16 KiB.
  // Among the options, both have no effect.
  Object.assign(server, { requestTimeout: 0, maxHeaderSize })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => {
    session.setLocalWindowSize(windowSize)
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })

  async function stop({ timeout }: { readonly timeout: number }): Promise<void> {
    const deadline = performance.now() + timeout
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await handler.shutdown({ timeout })
    for (const session of sessions) session.close()
    const closeAll = () => {
      for (const session of sessions) session.destroy()
      ;(server as { closeAllConnections?(): void }).closeAllConnections?.()
    }
    const timer = setTimeout(closeAll, Math.max(0, deadline - performance.now()))
    await closed
    clearTimeout(timer)
    await handler.close({ timeout: Math.max(0, deadline - performance.now()) })
  }
  const reload = () => server.setSecureContext(readCertificate(settings))
  return Object.assign(server, { stop, reload })
}

/** Reads the certificate and its key, which may have been replaced. */
function readCertificate({ tlsCert, tlsKey }: TlsSettings): TlsOptions {
  if (tlsCert === undefined) throw new SettingError('--tls-key needs --tls-cert.')
  if (tlsKey === undefined) throw new SettingError('--tls-cert needs --tls-key.')
  try {
    return { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) }
  } catch (error) {
    const reason = (error as Error).message
    throw new SettingError(`The certificate cannot be read: ${reason}`, { cause: error })
  }
}
