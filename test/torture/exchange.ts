import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Account, Claims } from './account.js'
import type { Meter } from './meter.js'
import type { Referee } from './referee.js'
import { send, type Reply, type Sending } from './send.js'
import { offsetIn } from './speech.js'
import type { ServerFarm } from './server-farm.js'

/** The surroundings of all clients. */
export interface World {
  readonly farm: ServerFarm
  readonly referee: Referee
  readonly meter: Meter
  /** Aborts when the run no longer waits for the clients. */
  readonly end: AbortSignal
}

/** The server of a request, and the client's patience. */
export interface Where {
  readonly server: number
  readonly patience: number
}

/** Milliseconds before the next attempt after a failed one. */
export const pause = 50
const insistent = 45_000

/** Sends a request for an upload, and judges the response. */
export async function exchange(
  { farm, meter, referee, end }: World,
  account: Account,
  request: Omit<Sending, 'origin' | 'path' | 'patience' | 'onInterim'>,
  { server, patience }: Where,
  claims: Claims = {},
): Promise<Reply | undefined> {
  end.throwIfAborted()
  meter.tick()
  const question = account.ask(request.method, patience, claims)
  const { path } = account
  const onInterim = (headers: IncomingHttpHeaders) => {
    referee.count('interim response')
    account.hear(question, headers)
  }
  const sending = { ...request, path, patience, origin: farm.origin(server), onInterim }
  return account.judge(question, await send(sending))
}

/** Returns the offset of the upload, if the server reports it now. */
export async function askOffset(
  world: World,
  account: Account,
  where: Where,
): Promise<number | undefined> {
  const { marks } = account.speech
  const reply = await exchange(world, account, { method: 'HEAD', headers: marks }, where)
  return reply && reply.status < 300 ? offsetIn(reply.headers) : undefined
}

/** Resolves when the upload is removed, or cannot be removed because another one needs it. */
export async function remove(world: World, account: Account): Promise<void> {
  for (let server = 0; ; server = world.farm.after(server)) {
    const where = { server, patience: insistent }
    const { marks } = account.speech
    const reply = await exchange(world, account, { method: 'DELETE', headers: marks }, where)
    if (account.gone || reply?.status === 409) return
    await sleep(pause)
  }
}

/** Reads a finished upload until all of it came. It must equal what was sent. */
export async function download(world: World, account: Account): Promise<void> {
  for (let server = 0; !account.gone; server = world.farm.after(server)) {
    const where = { server, patience: insistent }
    const reply = await exchange(world, account, { method: 'GET', headers: {} }, where)
    if (reply?.status === 409) account.blame('a finished upload cannot be read')
    if (reply?.status === 200 || reply?.status === 409) {
      const same = reply.sha256 === world.referee.files.get(account.name)
      if (!same) account.blame(`read ${reply.size} bytes that differ from those sent`)
      return
    }
    await sleep(pause)
  }
}
