import cluster from 'node:cluster'
import type { Server } from 'node:http'
import type { SpaceCounter } from 'tuskit/limited-store'
import { startAdmin, type Served } from '../admin/start-admin.js'
import { removeStaleSocket } from '../listen/listen.js'
import type { WorkerReport } from '../monitor/worker-report.js'
import { startServing, type Serving } from '../serving.js'
import { checkAgreement } from '../settings/agreement.js'
import type { Settings } from '../settings/settings.js'
import { ProcessChannel } from '../workers/process-channel.js'
import { startWorkers } from '../workers/primary.js'
import type { CommandCall, CommandDefinition } from './command.js'

/** Serves uploads until it is stopped. */
export const serve: CommandDefinition = {
  name: 'serve',
  description: 'Serve uploads. This is the default.',
  groups: ['storage', 'uploads', 'listening', 'hooks', 'operation'],
  async run(call) {
    if (cluster.isWorker) return serveAsWorker(call)
    checkAgreement(call.settings)
    if (call.settings.workers > 1) return serveByWorkers(call)
    const { settings, logger } = call
    const serving = await startServing(settings, logger)
    onHangup(settings, serving.reload)
    const reports = async () => [await serving.report()]
    await serveAdmin(call, serving, { reports, ready: serving.ready })
  },
}

async function serveByWorkers(call: CommandCall): Promise<void> {
  const { settings, logger } = call
  // The workers share one socket, which they must not take for a stale one.
  if (settings.unixSocket !== undefined) await removeStaleSocket(settings.unixSocket)
  const workers = await startWorkers(settings, logger)
  if (workers === undefined) {
    if (!call.signal.aborted) process.exitCode = 2
    return
  }
  onHangup(settings, () => void workers.callAll('reload').catch(() => {}))
  await serveAdmin(call, workers, {
    reports: async () => (await workers.callAll('report')) as WorkerReport[],
    ready: async () => [...new Set((await workers.callAll('ready')).flat() as string[])],
  })
}

/** Runs until the program is asked to stop, with the listener for operators if it is wanted. */
async function serveAdmin(
  { settings, logger, signal }: CommandCall,
  serving: Pick<Serving, 'place' | 'stop'>,
  served: Served,
): Promise<void> {
  let admin: Server | undefined
  try {
    admin = settings.admin === undefined ? admin : await startAdmin(settings.admin, served, logger)
    announce(serving.place, settings)
    await aborted(signal)
    logger.info('Stopping', {})
  } finally {
    await serving.stop()
    admin?.close().closeAllConnections()
  }
}

async function serveAsWorker({ settings, logger, signal }: CommandCall): Promise<void> {
  const methods = {
    reload: () => serving.reload(),
    report: () => serving.report(),
    ready: () => serving.ready(),
  }
  const primary = new ProcessChannel(process, methods)
  let serving: Serving
  // The first process passes it on as a call.
  process.on('SIGHUP', () => {})
  try {
    const counter: SpaceCounter = {
      reserve: (...parameters) => primary.call('reserve', ...parameters) as Promise<number>,
      note: (...parameters) => primary.call('note', ...parameters) as Promise<boolean>,
    }
    const keepsHouse = (await primary.call('keepsHouse')) as boolean
    serving = await startServing(settings, logger, { counter, keepsHouse })
    await primary.call('listening', serving.place)
    await aborted(signal)
    await serving.stop()
  } finally {
    // It would keep this process running.
    process.channel?.unref()
  }
}

/**
 * Reads the certificate again on SIGHUP. Without one, a terminal that is closed stops the program.
 */
function onHangup({ tlsCert }: Settings, reload: () => void): void {
  process.on('SIGHUP', tlsCert === undefined ? () => process.kill(process.pid, 'SIGTERM') : reload)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

/** Prints where clients find the server. Programs that start this one can wait for the line. */
function announce(place: string, { basePath, data, page, tlsCert }: Settings): void {
  const isUrl = /:\d+$/.test(place)
  const origin = isUrl ? `http${tlsCert === undefined ? '' : 's'}://${place}` : place
  const path = `/${basePath}/`.replace(/\/{2,}/g, '/')
  process.stdout.write(`Uploads to ${origin}${isUrl ? path : ''} are kept in ${data}\n`)
  if (page && isUrl) process.stdout.write(`A page to upload from is at ${origin}/\n`)
}
