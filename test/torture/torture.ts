import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { changeForServers } from '../proxies/proxy.js'
import { launchProxy, proxies } from '../proxies/launch-proxy.js'
import { createCertificate } from '../support/certificate.js'
import { Bucket } from './bucket.js'
import { Disk } from './disk.js'
import { Database } from './database.js'
import { startPostgres, startRedis } from './databases.js'
import { DividedStorage } from './divided-storage.js'
import { breakProcesses, breakStorage } from './faults.js'
import { judgeHooks } from './hook-log.js'
import { doJob } from './job.js'
import { judgeLeftovers } from './leftovers.js'
import { Meter } from './meter.js'
import { Networks, type Network } from './networks.js'
import { planJob, planRun, type Front, type RunPlan, type StorageKind } from './plan.js'
import { Referee } from './referee.js'
import { port, ServerFarm } from './server-farm.js'
import type { Records, Storage } from './storage.js'

const mostSweeps = 20
/**
 * How far the clock of the first server that sweeps is ahead: everything that can expire has
 * expired.
 */
const ahead = 3 * 86_400_000

export interface Verdict {
  readonly violations: readonly string[]
  readonly counts: Readonly<Record<string, number>>
  /** The folder of logs and traces. It is removed if there was no violation. */
  readonly home: string
}

/**
 * Lets clients upload until `over` aborts, while servers and their storage fail, and judges whether
 * the promises were kept.
 */
export async function torture(
  seed: number,
  over: AbortSignal,
  kind: StorageKind = 'disk',
  front?: Front,
): Promise<Verdict> {
  const home = await mkdtemp(join(tmpdir(), 'tuskit-torture-'))
  const plan = planRun(seed, kind, front)
  const referee = new Referee(home, plan)
  const programs = await copyPrograms(home)
  const opened: (() => unknown)[] = []
  try {
    const machines = await Networks.open(plan.servers)
    opened.push(() => machines.close())
    const network = await machines.add()
    const storage = await openStorage(home, plan, machines)
    opened.push(() => storage.close())
    const proxy = front && (await openFront(plan, front, network))
    opened.push(() => proxy?.stop())
    const common = { home, programs, storage, plan, referee, machines, network }
    const farm = new ServerFarm({ ...common, ...(proxy && { front: proxy.http }) })
    opened.push(() => farm.destroy())
    const everywhere = (act: (server: number) => Promise<void>) =>
      Promise.all(farm.servers.map(act))
    await everywhere((server) => farm.start(server))
    const end = new AbortController()
    const world = { farm, referee, meter: new Meter(), end: end.signal }
    let jobs = 0
    const client = async () => {
      while (!over.aborted) await doJob(world, planJob(seed, jobs++))
    }
    const clients = Promise.all(Array.from({ length: plan.clients }, client))
    await Promise.all([breakProcesses(seed, world, over), breakStorage(seed, world, storage, over)])
    const late = setTimeout(() => {
      referee.blame(`clients did not finish within ${plan.recovery} ms after the last fault`)
      end.abort(new Error('late'))
    }, plan.recovery)
    await clients.catch((error: unknown) => {
      if (error !== end.signal.reason) throw error
    })
    clearTimeout(late)
    await everywhere((server) => farm.stop(server))
    // The second sweep removes uploads that the first one rejects, such as final uploads without
    // their parts.
    await sweepAll(farm, plan, ahead)
    await farm.stop(0)
    await sweepAll(farm, plan, 2 * ahead)
    await judgeLeftovers(storage, farm.origin(0), referee)
    await farm.stop(0)
    await judgeHooks(join(home, 'hooks.log'), referee)
  } finally {
    for (const close of opened.reverse()) await close()
  }
  const { violations, counts } = referee
  if (violations.length === 0) await rm(home, { recursive: true })
  return { violations, counts, home }
}

/** Starts a proxy in front of all servers. */
async function openFront({ servers }: RunPlan, front: Front, network: Network) {
  const proxy = proxies.find(({ name }) => name === front)!
  const addresses = Array.from({ length: servers }, (_, i) => `${network.addressOf(i)}:${port}`)
  return launchProxy(proxy, createCertificate(), await changeForServers(proxy, addresses))
}

/** Data, and records elsewhere, have networks of their own, so that each can be lost alone. */
async function openStorage(home: string, plan: RunPlan, machines: Networks): Promise<Storage> {
  const data = await (plan.inBucket ? Bucket.start(plan, await machines.add()) : Disk.mount(home))
  try {
    const records = await openRecords(plan, machines)
    return records === undefined ? data : new DividedStorage(data, records)
  } catch (error) {
    await data.close()
    throw error
  }
}

/** Starts the database for records and locks, if they are not with the data. */
async function openRecords(
  { storage, servers }: RunPlan,
  machines: Networks,
): Promise<Records | undefined> {
  const start = {
    disk: undefined,
    s3: undefined,
    'disk+redis': startRedis,
    's3+postgres': startPostgres,
  }[storage]
  return start && Database.over(await start(), await machines.add(), servers)
}

/** Starts the first server with a clock that is ahead, and sweeps until it removes nothing more. */
async function sweepAll(farm: ServerFarm, { lease }: RunPlan, ahead: number): Promise<void> {
  await farm.start(0, ahead)
  // The lock of a killed process is free after a lease, and a final upload is removed before its
  // parts.
  for (let round = 0, swept = 1; swept > 0 || round < 4; round++) {
    swept = await farm.sweep(0)
    if (round === mostSweeps) throw new Error('Sweeping does not end')
    await sleep(lease)
  }
}

/**
 * Copies the programs and the builds as they are now, in case another process builds meanwhile.
 * Returns the folder of the programs.
 */
async function copyPrograms(home: string): Promise<string> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const packages = ['s3-store', 'redis', 'postgres'].map((name) => `packages/${name}/.dist`)
  for (const folder of ['test/programs', 'test/.dist', ...packages]) {
    await cp(join(root, folder), join(home, folder), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(home, 'node_modules'))
  return join(home, 'test/programs')
}
