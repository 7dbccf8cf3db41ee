import type { Disk } from './disk.js'
import type { World } from './exchange.js'
import { planDiskFault, planProcessFault } from './plan.js'

/** How long, in milliseconds, a fault waits for events that do not come. */
const patience = 3_000

/**
 * Kills, stops and suspends servers, one fault after the other, until `over` aborts. Afterwards all
 * of them run.
 */
export async function breakProcesses(
  seed: number,
  { farm, referee, meter }: World,
  over: AbortSignal,
): Promise<void> {
  for (let number = 0; ; number++) {
    const { kind, server, after, lasts, leases, amid } = planProcessFault(seed, number)
    await meter.pass(after, patience, over)
    // A late write of a suspended process shows only if its bytes are wrong.
    if (kind === 'suspend') await meter.pass(amid, patience, over, `wrong bytes to ${server}`)
    if (over.aborted) return
    await referee.during('process', kind, async () => {
      if (kind === 'suspend') return farm.suspend(server, leases * referee.plan.lease)
      const servers = kind === 'kill all' ? [0, 1] : [server]
      await Promise.all(servers.map((one) => (kind === 'stop' ? farm.stop(one) : farm.kill(one))))
      await meter.pass(lasts, patience, over)
      await Promise.all(servers.map((one) => farm.start(one)))
    })
  }
}

/**
 * Fills the disk and lets its calls fail, one fault after the other, until `over` aborts.
 * Afterwards the disk is sound.
 */
export async function breakDisk(
  seed: number,
  { referee, meter }: World,
  disk: Disk,
  over: AbortSignal,
): Promise<void> {
  for (let number = 0; ; number++) {
    const fault = planDiskFault(seed, number)
    await meter.pass(fault.after, patience, over)
    if (over.aborted) return
    await referee.during('disk', fault.kind, async () => {
      await disk.harm(fault)
      await meter.pass(fault.lasts, patience, over)
      await disk.heal()
    })
  }
}
