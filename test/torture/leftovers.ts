import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { isReply, send } from './send.js'
import type { Referee } from './referee.js'

/**
 * Judges the directory after everything unfinished has expired. It must hold finished files with
 * their records, and nothing else.
 */
export async function judgeLeftovers(
  directory: string,
  origin: string,
  referee: Referee,
): Promise<void> {
  const names = new Set(await readdir(directory))
  // A lock is removed when it becomes free. Those of a killed process remain.
  names.delete('.locks')
  names.delete('.tuskit')
  const files = [...names].filter((name) => !name.startsWith('.'))
  for (const id of files) {
    names.delete(id)
    if (!names.delete(`.${id}.info`)) referee.blame(`${id} is left without a record`)
    // Remains when the process was killed between the last verified byte and the removal of the
    // marker.
    names.delete(`.${id}.verified`)
    await judgeFile(id, join(directory, id), origin, referee)
  }
  for (const name of names) {
    if (await isBegun(join(directory, name))) referee.count('record without a line')
    else referee.blame(`${name} is left behind`)
  }
  for (const { id, name, stays } of referee.accounts) {
    if (stays && !files.includes(id)) referee.blame(`${name} ${id} was finished and is missing`)
  }
  referee.counts['kept files'] = files.length
}

/**
 * Whether it is the record of a creation that was killed, or could neither write nor remove it. No
 * sweep may remove a record without a complete line, since the location of its data is unknown.
 */
async function isBegun(path: string): Promise<boolean> {
  if (!path.endsWith('.info')) return false
  const lines = (await readFile(path, 'latin1')).split('\n')
  // The first line ends what came before it, and the last one is not complete.
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
    return referee.blame(`${id} is there, and cannot be read: ${said}`)
  }
  const [, name = ''] = /filename="(.*)"/.exec(reply.headers['content-disposition'] ?? '') ?? []
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  const expected = referee.files.get(name)
  if (hash.digest('hex') !== expected) referee.blame(`${name} ${id} differs on disk`)
  if (reply.sha256 !== expected) referee.blame(`${name} ${id} has other bytes when downloaded`)
}
