import cluster from 'node:cluster'
import type { Server } from 'node:http'
import { startAdmin, type Served } from '../admin/start-admin.js'
import type { WorkerReport } from '../monitor/worker-report.js'
import { startServing, type Serving } from '../serving.js'
import { SettingError } from '../settings/setting-error.js'
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
    if (call.settings.workers > 1) return serveByWorkers(call)
    const { settings, logger } = call
    const serving = await startServing(settings, logger)
    process.on('SIGHUP', serving.reload)
    const reports = async () => [await serving.report()]
    await serveAdmin(call, serving, { reports, ready: serving.ready })
  },
}

async function serveByWorkers(call: CommandCall): Promise<void> {
  const { settings, logger } = call
  checkShared(settings)
  const workers = await startWorkers(settings, logger)
  if (workers === undefined) {
    process.exitCode = 2
    return
  }
  process.on('SIGHUP', () => void workers.callAll('reload'))
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
  try {
    serving = await startServing(settings, logger, {
      reserve: (...parameters) => primary.call('reserve', ...parameters) as Promise<number>,
      note: (...parameters) => primary.call('note', ...parameters) as Promise<boolean>,
    })
    await primary.call('listening', serving.place)
    await aborted(signal)
    await serving.stop()
  } finally {
    // The channel to the first process would keep this one running.
    process.disconnect()
  }
}

/** Refuses what only one process can use. */
function checkShared(settings: Settings): void {
  const { data, info, locks, hooksOutbox, hooksDir, hooksProgram, hooksHttp, hooksUrl } = settings
  for (const [name, url] of Object.entries({ data, info, locks })) {
    if (!url?.startsWith('memory:')) continue
    throw new SettingError(`--workers needs --${name} that all processes share, not ${url}`)
  }
  if ((hooksDir ?? hooksProgram ?? hooksHttp ?? hooksUrl) === undefined) return
  if (hooksOutbox !== undefined) return
  throw new SettingError(
    '--workers with hooks needs --hooks-outbox, which keeps the events of an upload in order.',
  )
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
