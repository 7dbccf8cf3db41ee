import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Disk } from './disk.js'
import { breakDisk, breakProcesses } from './faults.js'
import { judgeHooks } from './hook-log.js'
import { doJob } from './job.js'
import { judgeLeftovers } from './leftovers.js'
import { Meter } from './meter.js'
import { planJob, planRun, type RunPlan } from './plan.js'
import { Referee } from './referee.js'
import { ServerFarm } from './server-farm.js'

/** How long clients may take to finish after the last fault, in milliseconds. */
const recoveryTime = 120_000
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
 * Lets clients upload until `over` aborts, while servers and disk fail, and judges whether the
 * promises were kept.
 */
export async function torture(seed: number, over: AbortSignal): Promise<Verdict> {
  const home = await mkdtemp(join(tmpdir(), 'tuskit-torture-'))
  const plan = planRun(seed)
  const referee = new Referee(home, plan)
  const disk = await Disk.mount(home)
  const { directory, environment } = disk
  const program = await copyProgram(home)
  const farm = new ServerFarm({ home, program, directory, environment, plan, referee })
  try {
    await Promise.all([farm.start(0), farm.start(1)])
    const end = new AbortController()
    const world = { farm, referee, meter: new Meter(), end: end.signal }
    let jobs = 0
    const client = async () => {
      while (!over.aborted) await doJob(world, planJob(seed, jobs++))
    }
    const clients = Promise.all(Array.from({ length: plan.clients }, client))
    await Promise.all([breakProcesses(seed, world, over), breakDisk(seed, world, disk, over)])
    const late = setTimeout(() => {
      referee.blame(`clients did not finish within ${recoveryTime} ms after the last fault`)
      end.abort(new Error('late'))
    }, recoveryTime)
    await clients.catch((error: unknown) => {
      if (error !== end.signal.reason) throw error
    })
    clearTimeout(late)
    await Promise.all([farm.stop(0), farm.stop(1)])
    // The second sweep removes uploads that the first one rejects, such as final uploads without
    // their parts.
    await sweepAll(farm, plan, ahead)
    await farm.stop(0)
    await sweepAll(farm, plan, 2 * ahead)
    await judgeLeftovers(directory, farm.origin(0), referee)
    await farm.stop(0)
    await judgeHooks(join(home, 'hooks.log'), referee)
  } finally {
    farm.destroy()
    await disk.unmount()
  }
  const { violations, counts } = referee
  if (violations.length === 0) await rm(home, { recursive: true })
  return { violations, counts, home }
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

/** Copies the program and the build as they are now, in case another process builds meanwhile. */
async function copyProgram(home: string): Promise<string> {
  const program = join(home, 'programs/torture-server.mjs')
  await mkdir(join(home, 'programs'))
  await cp(fileURLToPath(new URL('../programs/torture-server.mjs', import.meta.url)), program)
  await cp(fileURLToPath(new URL('../.dist', import.meta.url)), join(home, '.dist'), {
    recursive: true,
  })
  return program
}
