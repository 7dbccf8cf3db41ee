import http, { type Server } from 'node:http'
import type { Logger } from 'tuskit'
import { listenOnPort } from '../listen/listen.js'
import type { WorkerReport } from '../monitor/worker-report.js'
import { SettingError } from '../settings/setting-error.js'
import { createAdminListener } from './admin-listener.js'

/** The processes that serve uploads. */
export interface Served {
  reports(): Promise<readonly WorkerReport[]>
  ready(): Promise<readonly string[]>
}

/** Starts the listener for operators, and returns its server. Logs where it is. */
export async function startAdmin(address: string, served: Served, logger: Logger): Promise<Server> {
  const [, host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(address) ?? []
  if (port === undefined || Number(port) > 65_535) {
    throw new SettingError(`--admin must be an address such as 127.0.0.1:1081, not '${address}'.`)
  }
  const { reports, ready } = served
  const server = http.createServer(createAdminListener({ reports, ready, logger }))
  const place = await listenOnPort(
    server,
    {
      host: host?.replace(/^\[|\]$/g, '') ?? '127.0.0.1',
      port: Number(port),
    },
    '--admin',
  )
  logger.info('Health, metrics and live uploads', { url: `http://${place}/` })
  return server
}
