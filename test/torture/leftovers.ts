import type { Referee } from './referee.js'
import { isReply, send } from './send.js'
import type { Storage } from './storage.js'

/**
 * Judges the storage after everything unfinished has expired. It must hold finished files with
 * their records, and nothing else.
 */
export async function judgeLeftovers(
  storage: Storage,
  origin: string,
  referee: Referee,
): Promise<void> {
  const files = await storage.judge(referee)
  for (const id of files) await judgeFile(id, await storage.digest(id), origin, referee)
  for (const { id, name, stays } of referee.accounts) {
    if (stays && !files.includes(id)) referee.blame(`${name} ${id} was finished and is missing`)
  }
  referee.counts['kept files'] = files.length
}

async function judgeFile(
  id: string,
  digest: string,
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
  const expected = referee.files.get(name)
  if (digest !== expected) referee.blame(`${name} ${id} differs in the storage`)
  if (reply.sha256 !== expected) referee.blame(`${name} ${id} has other bytes when downloaded`)
}
