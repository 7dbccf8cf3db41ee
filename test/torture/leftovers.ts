import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { isReply, send } from './send.js'
import type { Referee } from './referee.js'

/**
 * Judges what lies in the directory when everything unfinished has expired: files that are finished, with their records,
 * and nothing else.
 */
export async function judgeLeftovers(
  directory: string,
  origin: string,
  referee: Referee,
): Promise<void> {
  const names = new Set(await readdir(directory))
  // Locks are removed when they are free; those of a process that was killed stay.
  names.delete('.locks')
  names.delete('.tuskit')
  const files = [...names].filter((name) => !name.startsWith('.'))
  for (const id of files) {
    names.delete(id)
    if (!names.delete(`.${id}.info`)) referee.blame(`${id} is left without a record`)
    // Stays when the process was killed between the last verified byte and its removal.
    names.delete(`.${id}.verified`)
    await judgeFile(id, join(directory, id), origin, referee)
  }
  for (const name of names) {
    if (await isBegun(join(directory, name))) referee.count('record without a line')
    else referee.blame(`${name} is left behind`)
  }
  for (const { id, name, stays } of referee.accounts) {
    if (stays && !files.includes(id)) referee.blame(`${name} ${id} was finished and is not there`)
  }
  referee.counts['kept files'] = files.length
}

/**
 * Whether it is what a creation left that could neither write its record nor remove it, or was killed: a record without a
 * whole line, which is nobody's to remove, for the place of its data would stand in it.
 */
async function isBegun(path: string): Promise<boolean> {
  if (!path.endsWith('.info')) return false
  const lines = (await readFile(path, 'latin1')).split('\n')
  // The first ends the one before it, and the last is not whole.
  return lines.length < 3
}

async function judgeFile(
  id: string,
  path: string,
  origin: string,
  referee: Referee,
): Promise<void> {
  const get = { origin, method: 'GET', path: `/files/${id}`, headers: {}, patience: 45_000 }
  const reply = await send(get)
  if (!isReply(reply) || reply.status !== 200) {
    const said = isReply(reply) ? `${reply.status} ${reply.text}` : reply.lost
    return referee.blame(`${id} is left, and cannot be read: ${said}`)
  }
  const [, name = ''] = /filename="(.*)"/.exec(reply.headers['content-disposition'] ?? '') ?? []
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  const expected = referee.files.get(name)
  if (hash.digest('hex') !== expected) referee.blame(`${name} ${id} differs on disk`)
  if (reply.sha256 !== expected) referee.blame(`${name} ${id} is sent as something else`)
}
