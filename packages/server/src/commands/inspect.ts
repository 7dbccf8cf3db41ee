import type { ListedUpload, StoreSlots, Upload } from 'tuskit'
import { isTusError, isUploadId } from 'tuskit'
import { yesOrNo } from '../settings/value-types.js'
import type { CommandDefinition } from './command.js'
import { flagValue } from './flag-value.js'
import { reasonOf } from '../explain.js'
import { describe } from './stored/describe.js'
import { readUploads } from './stored/open-uploads.js'
import { toJson } from './stored/to-json.js'
import { print, remark } from './terminal/output.js'

/** Shows all that is known about uploads. */
export const inspect: CommandDefinition = {
  name: 'inspect',
  description: 'Show all that is known about uploads. Changes nothing.',
  parameters: '<id...>',
  flags: [['--json', 'Print an object per line.']],
  groups: ['storage'],
  async run(call) {
    const json = flagValue(call, 'json', yesOrNo)
    await readUploads(call, async ({ slots }) => {
      let isFirst = true
      for (const id of call.parameters) {
        call.signal.throwIfAborted()
        const found = await find(slots, id, call.signal)
        if (found === undefined) {
          remark(`tuskit: There is no upload ${JSON.stringify(id)}.`)
          process.exitCode = 1
          continue
        }
        if (json) await print(toJson(found))
        else {
          if (!isFirst) await print('')
          for (const line of describe(found)) await print(line)
        }
        isFirst = false
        if (found.state === 'unreadable') process.exitCode = 1
      }
    })
  },
}

/**
 * Returns an upload as it is stored. `handler.uploads.inspect` would finish it, and refuse those
 * that clients can no longer use.
 */
async function find(
  { infoStore, dataStore }: Readonly<StoreSlots>,
  id: string,
  signal: AbortSignal,
): Promise<ListedUpload | undefined> {
  if (!isUploadId(id)) return undefined
  try {
    const upload = await infoStore!.get(id, { signal })
    if (upload === undefined) return undefined
    const offset = await offsetOf(dataStore!, upload, signal)
    const isStored = offset !== undefined && offset === upload.length
    const { kind } = upload.state
    const finished = kind === 'open' && upload.finish === 'implied' && isStored
    const state = finished ? 'finished' : kind
    return { id, state, upload, ...(offset !== undefined && { offset }) }
  } catch (error) {
    signal.throwIfAborted()
    return { id, state: 'unreadable', error }
  }
}

async function offsetOf(
  dataStore: NonNullable<StoreSlots['dataStore']>,
  upload: Upload,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (upload.state.kind === 'finished') return upload.length
  if (upload.state.kind === 'gone') return undefined
  try {
    return (await dataStore.stat(upload, { signal })).offset
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw new Error(`The data cannot be read: ${reasonOf(error)}`, { cause: error })
  }
}
