import type { World } from './exchange.js'
import { planProcessFault } from './plan.js'
import type { Storage } from './storage.js'

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
    const fault = planProcessFault(seed, number, referee.plan.servers)
    const { kind, server, after, lasts, leases, amid } = fault
    await meter.pass(after, patience, over)
    // A late write of a suspended process shows only if its bytes are wrong.
    if (kind === 'suspend') await meter.pass(amid, patience, over, `wrong bytes to ${server}`)
    if (over.aborted) return
    await referee.during('process', kind, async () => {
      referee.note(JSON.stringify(fault))
      if (kind === 'suspend') return farm.suspend(server, leases * referee.plan.lease)
      const servers = kind === 'kill all' ? farm.servers : [server]
      await Promise.all(servers.map((one) => (kind === 'stop' ? farm.stop(one) : farm.kill(one))))
      await meter.pass(lasts, patience, over)
      await Promise.all(servers.map((one) => farm.start(one)))
    })
  }
}

/** Harms the storage, one fault after the other, until `over` aborts. Afterwards it is sound. */
export async function breakStorage(
  seed: number,
  { referee, meter }: World,
  storage: Storage,
  over: AbortSignal,
): Promise<void> {
  for (let number = 0; ; number++) {
    const fault = storage.planFault(seed, number)
    await meter.pass(fault.after, patience, over)
    if (over.aborted) return
    await referee.during('storage', fault.kind, async () => {
      referee.note(JSON.stringify(fault))
      const heal = await storage.harm(fault)
      await meter.pass(fault.lasts, Math.max(patience, 2 * referee.plan.lease), over)
      await heal()
    })
  }
}
