import { statSync } from 'node:fs'
import { adoptAll, type Result } from '../adoption/adopt-all.js'
import { OldFolder } from '../adoption/old-folder.js'
import { oldServers } from '../adoption/old-servers.js'
import type { OldSource } from '../adoption/old-source.js'
import { openHome } from '../adoption/open-home.js'
import { openSource, usualData } from '../adoption/open-source.js'
import { SettingError } from '../settings/setting-error.js'
import { oneOf, text, yesOrNo } from '../settings/value-types.js'
import { CommandError } from './command-error.js'
import type { CommandCall, CommandDefinition } from './command.js'
import { flagValue } from './flag-value.js'
import { nameOf } from './stored/name-of.js'
import { storedText } from './stored/row-of.js'
import { Columns } from './terminal/columns.js'
import { print, remark } from './terminal/output.js'
import { printable } from './terminal/printable.js'
import { startProgress } from './terminal/progress.js'
import { counted, countText } from './terminal/quantities.js'

type Counts = Readonly<Record<Result['outcome'], number>>

const server = oneOf(...(Object.keys(oldServers) as (keyof typeof oldServers)[]))

/** Writes records for the uploads of another server, whose data stays where it is. */
export const adopt: CommandDefinition = {
  name: 'adopt',
  description:
    'Take over the uploads that tusd, Rustus or @tus/server keeps in a folder or a bucket. Writes records; the data stays where it is.',
  parameters: '<folder-or-url>',
  flags: [
    ['--from <server>', `The server that keeps them: ${server.choices!.join(', ')}.`],
    ['--records <folder>', 'The folder of its records, if that is another one.'],
    ['--cut', 'Cut files that are longer than Rustus recorded.'],
    ['--remove-records', 'Remove the old records of uploads that are adopted.'],
    ['--dry-run', 'Show each upload, and change nothing.'],
    ['--json', 'Print an object per line.'],
  ],
  groups: ['storage', 'uploads'],
  defaults: ([place]) => ({ data: usualData(place!) }),
  async run(call) {
    const isTrial = flagValue(call, 'dry-run', yesOrNo) ?? false
    const removesRecords = flagValue(call, 'remove-records', yesOrNo) ?? false
    const old = await sourceOf(call)
    const display = displayOf(call, isTrial, await old.count(call.signal))
    const counts = { adopted: 0, present: 0, refused: 0, stray: 0 }
    try {
      await openHome(call, old, { isTrial, removesRecords }, async (home) => {
        for await (const result of adoptAll(old, home)) {
          counts[result.outcome]++
          await display.show(result)
        }
      })
    } catch (error) {
      if (!call.signal.aborted) throw error
      throw new CommandError('Stopped. Run the same command again to continue.', { cause: error })
    } finally {
      await display.stop()
    }
    if (counts.refused > 0) process.exitCode = 1
    if (counts.adopted > 0 && !isTrial && old instanceof OldFolder) adviseRoot(old)
    if (flagValue(call, 'json', yesOrNo)) return
    await print(summary(counts, isTrial, old))
    const { data, info } = call.settings
    const flags = `--data ${quoted(data)}${info === undefined ? '' : ` --info ${quoted(info)}`}`
    if (!isTrial) await print(`Now start the server with ${flags}`)
  },
}

async function sourceOf(call: CommandCall): Promise<OldSource> {
  const from = flagValue(call, 'from', server)
  if (from === undefined) {
    throw new SettingError(`Say which server keeps them: --from ${server.choices!.join(', ')}.`)
  }
  const mayCut = flagValue(call, 'cut', yesOrNo) ?? false
  const records = flagValue(call, 'records', text('folder'))
  return openSource(oldServers[from], call, { records, mayCut })
}

/** The records of root cannot be changed by the server, if that is another user. */
function adviseRoot({ path }: OldFolder): void {
  const { uid } = statSync(path)
  if (process.getuid?.() !== 0 || uid === 0) return
  remark(
    `The new records belong to root, but ${printable(path)} belongs to user ${uid}. If the server runs as that user, give it the files that begin with a dot, in the folder of the records.`,
  )
}

/** Returns an argument for a shell. */
function quoted(argument: string): string {
  if (/^[\w./:=@%+-]+$/.test(argument)) return argument
  return `'${argument.replaceAll("'", String.raw`'\''`)}'`
}

function summary(counts: Counts, isTrial: boolean, { entry }: OldSource): string {
  const [adopted, refused] = isTrial ? ['to adopt', 'not adoptable'] : ['adopted', 'not adopted']
  const [now, before, not] = [counts.adopted, counts.present, counts.refused].map(countText)
  const uploads = `Uploads: ${now} ${adopted}, ${before} adopted before, ${not} ${refused}.`
  return counts.stray === 0
    ? uploads
    : `${uploads} There is no record for ${counted(counts.stray, entry)}.`
}

interface Display {
  show(result: Result): Promise<void>
  stop(): Promise<void>
}

/** Returns a display that shows all results, or only the progress and those that need attention. */
function displayOf(call: CommandCall, isTrial: boolean, total: number): Display {
  if (flagValue(call, 'json', yesOrNo)) {
    return { show: (result) => print(JSON.stringify(toJson(result))), stop: async () => {} }
  }
  if (isTrial) {
    const columns = new Columns(['OUTCOME', 'ID', 'STORED', 'NAME OR REASON'])
    return { show: (result) => columns.add(rowOf(result)), stop: () => columns.end() }
  }
  const progress = startProgress('Adopting uploads:', total)
  return {
    async show(result) {
      if (result.outcome !== 'stray') progress.step()
      if ('reason' in result) progress.remark(`${words[result.outcome]}: ${lineOf(result)}`)
    },
    stop: async () => progress.stop(),
  }
}

const words = { adopted: 'adopt', present: 'adopted', refused: 'not adopted', stray: 'no record' }

function rowOf(result: Result): readonly string[] {
  const outcome = words[result.outcome]
  if ('reason' in result) return [outcome, printable(result.id), '-', printable(result.reason)]
  const { id, upload, offset } = result
  return [outcome, id, storedText(offset, upload.length), printable(nameOf(upload) ?? '-')]
}

function lineOf({ id, reason }: { readonly id: string; readonly reason: string }): string {
  return `${printable(id)}: ${printable(reason)}`
}

function toJson(result: Result): object {
  if ('reason' in result) return result
  const { upload, ...others } = result
  const { path, key } = upload.storage.at
  return { ...others, state: upload.state.kind, length: upload.length, path, key }
}
