import { setTimeout as sleep } from 'node:timers/promises'
import { Account } from './account.js'
import { Client } from './client.js'
import { fingerprint } from './content.js'
import { askOffset, download, exchange, pause, remove, type World } from './exchange.js'
import type { JobPlan } from './plan.js'
import { metadata, tus } from './speech.js'

const patience = 45_000

/** Executes a plan, and checks the result. */
export async function doJob(world: World, plan: JobPlan): Promise<void> {
  for (const account of await uploadsOf(world, plan)) {
    if (account === undefined || account.gone || account.finishedAt === undefined) continue
    world.referee.count(`finished ${account.speech.protocol}`)
    await download(world, account)
    if (plan.fate !== 'keep') await remove(world, account)
  }
}

/** Returns the uploads of a job, a final one before its partials. Abandoned ones are unfinished. */
async function uploadsOf(
  world: World,
  { files, finalFirst, fate }: JobPlan,
): Promise<readonly (Account | undefined)[]> {
  if (files.length === 1) {
    return [await new Client(world, files[0]!, { fights: fate === 'fight' }).complete()]
  }
  const clients = files.map((file) => new Client(world, file, { partial: true }))
  const partials = await Promise.all(clients.map((client) => client.create()))
  const filled = Promise.all(clients.map((client) => client.complete()))
  if (!finalFirst) await filled
  const [final, whole] = await Promise.all([createFinal(world, clients, partials), filled])
  final.doomed ||= whole.includes(undefined)
  for (let server = 0; !isSettled(final); server = world.farm.after(server)) {
    await askOffset(world, final, { server, patience })
    await sleep(pause)
  }
  return final.doomed ? whole : [final, ...whole]
}

function isSettled({ gone, doomed, finishedAt }: Account): boolean {
  return gone || doomed || finishedAt !== undefined
}

async function createFinal(
  world: World,
  clients: readonly Client[],
  partials: readonly Account[],
): Promise<Account> {
  const contents = clients.map(({ content }) => content)
  const name = `${partials[0]!.name}-joined`
  world.referee.files.set(name, fingerprint(contents))
  const size = contents.reduce((sum, content) => sum + content.size, 0)
  for (let server = 0; ; server = world.farm.after(server)) {
    const subject = { name, size, declared: true, partial: false, speech: tus, parts: partials }
    const final = new Account(world.referee, subject)
    const headers = {
      ...tus.marks,
      'upload-concat': `final;${partials.map(({ path }) => path).join(' ')}`,
      'upload-metadata': metadata(name),
    }
    const where = { server, patience }
    await exchange(world, final, { method: 'POST', headers }, where)
    if (final.placed || final.doomed) return final
    await sleep(pause)
  }
}
