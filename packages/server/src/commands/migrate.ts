import { resolve } from 'node:path'
import { isTusError, type Migrated } from 'tuskit'
import { storeOptions } from '../parts/built-in.js'
import { parseFileUrl } from '../parts/file-url.js'
import { SettingError } from '../settings/setting-error.js'
import { text } from '../settings/value-types.js'
import { CommandError } from './command-error.js'
import type { CommandCall, CommandDefinition } from './command.js'
import { flagValue } from './flag-value.js'
import { nextSettings, openMoves, type Move } from './stored/moves.js'
import { checkStored } from './stored/open-uploads.js'
import { explained, reasonOf } from '../explain.js'
import { hidePasswords } from '../hide-passwords.js'
import { print } from './terminal/output.js'
import { printable } from './terminal/printable.js'
import { startProgress } from './terminal/progress.js'
import { countText } from './terminal/quantities.js'

/** Copies uploads to other stores. */
export const migrate: CommandDefinition = {
  name: 'migrate',
  description: 'Copy the records or the data of all uploads to other stores. Removes nothing.',
  flags: [
    ['--to-info <URL>', 'The new place of the records.'],
    ['--to-data <URL>', 'The new place of the data.'],
    ['--after <id>', 'Only uploads whose ids come after this one.'],
    ['--remove-gone', 'Remove copied records from --to-info whose uploads are gone.'],
  ],
  groups: ['storage'],
  async run(call) {
    const target = targetOf(call)
    const after = flagValue(call, 'after', text('ID'))
    if (after !== undefined && target.info !== undefined && target.data !== undefined) {
      throw new SettingError('Give --after with only one of --to-info and --to-data.')
    }
    checkStored(call.settings)
    const removeGone = call.flags['removeGone'] === true
    if (removeGone && (target.info === undefined || target.data !== undefined)) {
      throw new SettingError('Give --remove-gone with --to-info, and without --to-data.')
    }
    // Data cannot be compared with that of a server that is writing.
    const mayServe = target.data === undefined
    if (!mayServe) {
      await print('Stop all servers that use these uploads until the migration is over.')
    }
    const isBoth = target.info !== undefined && target.data !== undefined
    const needsAll = isBoth || removeGone
    let failed = 0
    for await (const move of openMoves(call, target, removeGone, after))
      failed += await perform(move, needsAll, call)
    if (failed > 0) {
      await print('Repeat the command when you have removed the causes. It compares what is done.')
      process.exitCode = 1
      return
    }
    if (mayServe) {
      const again = `run this command again${removeGone ? '' : ', with --remove-gone'}`
      await print(`If servers were running, stop them, and ${again}.`)
    }
    await print(`Now start the servers with ${hidePasswords(await nextSettings(call, target))}`)
    await print('Remove the old stores when you are sure.')
  },
}

/** The places to copy to, of which at least one is there. */
export interface Target {
  readonly info: string | undefined
  readonly data: string | undefined
}

function targetOf(call: CommandCall): Target {
  const info = flagValue(call, 'to-info', text('URL'))
  const data = flagValue(call, 'to-data', text('URL'))
  if (info === undefined && data === undefined) {
    throw new SettingError('Say where to: --to-info file:./new-records, --to-data, or both.')
  }
  for (const [flag, to, from] of [
    ['--to-info', info, call.settings.info ?? call.settings.data],
    ['--to-data', data, call.settings.data],
  ] as const) {
    if (to !== undefined && placeOf(to) === placeOf(from))
      throw new SettingError(`${flag} ${to} is where they are now.`)
    if (to?.startsWith('memory:')) throw new SettingError(`${flag} cannot be memory:.`)
  }
  return { info, data }
}

/** Returns the same text for all URLs of a directory. */
function placeOf(url: string): string {
  return url.startsWith('file:') ? resolve(parseFileUrl(url, storeOptions).directory) : url
}

/** Copies, shows the progress, and returns how many uploads failed. */
async function perform(move: Move, needsAll: boolean, call: CommandCall): Promise<number> {
  const after = flagValue(call, 'after', text('ID'))
  const { signal } = call
  const progress = startProgress(`${move.title}:`, move.total)
  const counts = { copied: 0, updated: 0, present: 0, absent: 0, removed: 0, failed: 0 }
  let last = after
  try {
    for await (const migrated of move.start({ signal, ...(after !== undefined && { after }) })) {
      counts[migrated.outcome]++
      if (migrated.outcome !== 'removed') progress.step()
      if (migrated.outcome === 'failed') progress.remark(failureText(migrated))
      last = migrated.id
    }
  } catch (error) {
    progress.stop()
    const isSkipping = !needsAll && counts.failed === 0 && last !== undefined
    const rest = isSkipping ? `, with --after ${last}` : ''
    const how = `Run the same command again to continue${rest}.`
    if (signal.aborted) throw new CommandError(`Stopped. ${how}`, { cause: error })
    if (!isTusError(error, 'ERR_STORAGE_UNAVAILABLE')) throw error
    throw new CommandError(`A store cannot be reached: ${explained(error)} ${how}`, {
      cause: error,
    })
  }
  progress.stop()
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${countText(count)} ${outcome}`)
  await print(`${move.title}: ${parts.join(', ') || 'no uploads'}.`)
  return counts.failed
}

function failureText({ id, error }: Migrated): string {
  const code = isTusError(error) ? `${error.code} ` : ''
  return `failed: ${printable(id)}: ${code}${printable(reasonOf(error))}`
}
