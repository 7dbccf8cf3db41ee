import { execFile } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { promisify } from 'node:util'
import { ensureProgram } from '../house/debian-packages.mjs'

const run = promisify(execFile)

/** A network that connects this machine with all those of {@link Networks}. */
export interface Network {
  /** The address of this machine. */
  readonly host: string
  /** Returns the address of another one. */
  addressOf(machine: number): string
  /**
   * Pulls the cable of a machine out: from now on, packets are lost in both directions. Returns the
   * function that puts it back.
   */
  unplug(machine: number): Promise<() => Promise<void>>
}

/** Machines, each of which is a network namespace of Linux with a cable to each network. */
export class Networks {
  readonly #name = `tk${randomBytes(3).toString('hex')}`
  readonly #machines: number
  #networks = 0

  /** Needs Linux and root. */
  static async open(machines: number): Promise<Networks> {
    ensureProgram('ip', 'iproute2')
    const networks = new Networks(machines)
    await ip(networks.#all((machine) => [`netns add ${machine}`, `-n ${machine} link set lo up`]))
    return networks
  }

  private constructor(machines: number) {
    this.#machines = machines
  }

  /** Returns the beginning of a command that runs on a machine. */
  on(machine: number): readonly [string, ...string[]] {
    return ['nsenter', `--net=/run/netns/${this.#machine(machine)}`]
  }

  /** Adds a network. Its switch is a bridge of Linux. */
  async add(): Promise<Network> {
    const bridge = `${this.#name}n${this.#networks++}`
    const subnet = freeSubnet()
    const cable = (machine: number) => `${bridge}m${machine}`
    const addressOf = (machine: number) => `${subnet}.${machine + 2}`
    const host = `${subnet}.1`
    await ip([
      `link add ${bridge} type bridge`,
      `addr add ${host}/24 dev ${bridge}`,
      `link set ${bridge} up`,
      ...this.#all((name, machine) => [
        `link add ${cable(machine)} type veth peer name ${bridge} netns ${name}`,
        `link set ${cable(machine)} master ${bridge} up`,
        `-n ${name} addr add ${addressOf(machine)}/24 dev ${bridge}`,
        `-n ${name} link set ${bridge} up`,
      ]),
    ])
    return {
      host,
      addressOf,
      async unplug(machine) {
        await ip([`link set ${cable(machine)} down`])
        return () => ip([`link set ${cable(machine)} up`])
      },
    }
  }

  /** Removes everything. The cables end with the machines. */
  async close(): Promise<void> {
    const bridges = Array.from({ length: this.#networks }, (_, n) => `link del ${this.#name}n${n}`)
    await ip([...this.#all((machine) => [`netns del ${machine}`]), ...bridges])
  }

  #machine(number: number): string {
    return `${this.#name}-${number}`
  }

  #all(commands: (name: string, machine: number) => readonly string[]): string[] {
    return Array.from({ length: this.#machines }, (_, machine) =>
      commands(this.#machine(machine), machine),
    ).flat()
  }
}

/** Returns the first three bytes of a subnet for measurements (RFC 2544) that nobody here uses. */
function freeSubnet(): string {
  const taken = Object.values(networkInterfaces()).flatMap((all = []) => all.map(prefixOf))
  for (;;) {
    const subnet = `198.${randomInt(18, 20)}.${randomInt(256)}`
    if (!taken.includes(subnet)) return subnet
  }
}

const prefixOf = ({ address }: { readonly address: string }) =>
  address.slice(0, address.lastIndexOf('.'))

/** Runs commands of `ip` one after the other. */
async function ip(commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    await run('ip', command.split(' ')).catch((cause) => {
      throw new Error('The torture sets up networks as root; that failed', { cause })
    })
  }
}
