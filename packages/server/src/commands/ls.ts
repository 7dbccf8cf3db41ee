import type { ListedUpload, ListUploadsOptions } from 'tuskit'
import { age, count, oneOf, size, text, yesOrNo } from '../settings/value-types.js'
import type { CommandCall, CommandDefinition } from './command.js'
import { flagValue } from './flag-value.js'
import { rowOf, rowHeadings } from './stored/row-of.js'
import { toJson } from './stored/to-json.js'
import { nameOf } from './stored/name-of.js'
import { readUploads } from './stored/open-uploads.js'
import { Columns } from './terminal/columns.js'
import { outputClosed, print } from './terminal/output.js'
import { startProgress } from './terminal/progress.js'

const states = oneOf('open', 'finished', 'rejected', 'gone', 'unreadable')

/** Lists uploads. */
export const ls: CommandDefinition = {
  name: 'ls',
  description: 'List uploads, in the order of their ids.',
  flags: [
    ['--state <state>', `Only uploads that are ${states.placeholder.replaceAll('|', ', ')}.`],
    ['--older-than <time>', 'Only uploads that were created before that time, such as 7d.'],
    ['--larger-than <size>', 'Only uploads of which more is stored, such as 1GB.'],
    ['--name <text>', 'Only uploads whose file name contains the text.'],
    ['--after <id>', 'Only uploads whose ids come after this one.'],
    ['--max <number>', 'At most that many uploads.'],
    ['--json', 'Print an object per line.'],
  ],
  groups: ['storage'],
  async run(call) {
    const filter = filterOf(call)
    const max = flagValue(call, 'max', count) ?? Infinity
    const json = flagValue(call, 'json', yesOrNo)
    const options = { ...listOptions(call), signal: call.signal }
    const columns = new Columns(rowHeadings)
    const progress = process.stdout.isTTY ? undefined : quietProgress()
    await readUploads(call, async ({ handler }) => {
      let found = 0
      for await (const upload of handler.uploads.list(options)) {
        progress?.step()
        if (outputClosed.aborted) return
        if (!filter(upload)) continue
        await (json ? print(toJson(upload)) : columns.add(rowOf(upload)))
        if (++found === max) break
      }
    }).finally(() => progress?.stop())
    if (!json) await columns.end()
  },
}

/** Returns progress for a terminal. Programs that read the output expect no lines about it. */
function quietProgress() {
  return process.stderr.isTTY ? startProgress('Reading uploads:') : undefined
}

function listOptions(call: CommandCall): ListUploadsOptions {
  const after = flagValue(call, 'after', text('ID'))
  const state = flagValue(call, 'state', states)
  return { ...(after !== undefined && { after }), ...(state !== undefined && { state }) }
}

function filterOf(call: CommandCall): (upload: ListedUpload) => boolean {
  const minAge = flagValue(call, 'older-than', age)
  const minSize = flagValue(call, 'larger-than', size)
  const name = flagValue(call, 'name', text('text'))?.toLowerCase()
  const before = minAge === undefined ? undefined : Date.now() - minAge
  if (before === undefined && minSize === undefined && name === undefined) return () => true
  return (listed) => {
    if (listed.state === 'unreadable') return false
    const { upload, offset = 0 } = listed
    if (before !== undefined && Date.parse(upload.createdAt) >= before) return false
    if (minSize !== undefined && offset <= minSize) return false
    return name === undefined || (nameOf(upload) ?? '').toLowerCase().includes(name)
  }
}
