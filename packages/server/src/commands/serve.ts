import { startServing } from '../serving.js'
import type { Settings } from '../settings/settings.js'
import type { CommandDefinition } from './command.js'

/** Serves uploads until it is stopped. */
export const serve: CommandDefinition = {
  name: 'serve',
  description: 'Serve uploads. This is the default.',
  groups: ['storage', 'uploads', 'listening', 'hooks', 'operation'],
  async run({ settings, logger, signal }) {
    const serving = await startServing(settings, logger)
    announce(serving.place, settings)
    process.on('SIGHUP', () => serving.reload())
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    logger.info('Stopping', {})
    await serving.stop()
  },
}

/** Prints where clients find the server. Programs that start this one can wait for the line. */
function announce(place: string, { basePath, data, page, tlsCert }: Settings): void {
  const isUrl = /:\d+$/.test(place)
  const origin = isUrl ? `http${tlsCert === undefined ? '' : 's'}://${place}` : place
  const path = `/${basePath}/`.replace(/\/{2,}/g, '/')
  process.stdout.write(`Uploads to ${origin}${isUrl ? path : ''} are kept in ${data}\n`)
  if (page && isUrl) process.stdout.write(`A page to upload from is at ${origin}/\n`)
}
