import { isTusError, isUploadId, type Handler } from 'tuskit'
import { countFailures } from './count-failures.js'
import type { CommandDefinition } from './command.js'
import { explained } from '../explain.js'
import { changeUploads } from './stored/open-uploads.js'
import { print, remark } from './terminal/output.js'

/** Removes uploads. */
export const rm: CommandDefinition = {
  name: 'rm',
  description: 'Remove uploads, finished or not. Runs the terminate hooks.',
  parameters: '<id...>',
  groups: ['storage', 'hooks'],
  async run(call) {
    const logger = countFailures(call.logger)
    await changeUploads({ ...call, logger }, async ({ handler }) => {
      for (const id of new Set(call.parameters)) {
        call.signal.throwIfAborted()
        const failure = await remove(handler, id)
        if (failure === undefined) await print(`Removed ${id}`)
        else {
          remark(`tuskit: ${failure}`)
          process.exitCode = 1
        }
      }
    })
    // A hook that runs after the removal may have failed.
    if (logger.failures > 0) process.exitCode = 1
  },
}

/** Returns why an upload is still there, or `undefined` if it was removed. */
async function remove({ uploads }: Handler, id: string): Promise<string | undefined> {
  const missing = `There is no upload ${JSON.stringify(id)}.`
  if (!isUploadId(id)) return missing
  try {
    await uploads.terminate(id)
    return undefined
  } catch (error) {
    if (isTusError(error, 'ERR_UPLOAD_NOT_FOUND')) return missing
    if (isTusError(error, 'ERR_UPLOAD_GONE')) {
      return `${id} is already removed, or has expired. tuskit sweep removes what is left of it.`
    }
    if (isTusError(error, 'ERR_METHOD_NOT_ALLOWED')) return 'The store cannot remove uploads.'
    return `${id} is not removed: ${explained(error)}`
  }
}
