import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { now } from './clock.js'
import type { Network, Networks } from './networks.js'
import type { RunPlan } from './plan.js'
import type { Referee } from './referee.js'
import type { Storage } from './storage.js'

/** The port of each server. */
export const port = 1080

/** The common settings of the processes of a farm. */
export interface FarmOptions {
  readonly home: string
  /** The folder of the programs. */
  readonly programs: string
  readonly storage: Storage
  readonly plan: RunPlan
  readonly referee: Referee
  /** The machines of the servers. */
  readonly machines: Networks
  /** The network of the clients. */
  readonly network: Network
  /** The origin of a proxy that distributes requests. */
  readonly front?: string
}

interface Member {
  readonly name: string
  readonly child: ChildProcess
  /** Whether the process may end. */
  doomed: boolean
}

/** The servers. They share a storage, and restart. */
export class ServerFarm {
  readonly #options: FarmOptions
  readonly #members: (Member | undefined)[] = []
  #starts = 0

  constructor(options: FarmOptions) {
    this.#options = options
  }

  /** Returns the origin of a server. Higher numbers are those of the proxy. */
  origin(server: number): string {
    const { front, network, plan } = this.#options
    return server < plan.servers ? `http://${network.addressOf(server)}:${port}` : front!
  }

  /** All servers. */
  get servers(): readonly number[] {
    return Array.from({ length: this.#options.plan.servers }, (_, server) => server)
  }

  /** Returns the server after another one. The first comes after the last. */
  after(server: number): number {
    return (server + 1) % this.#options.plan.servers
  }

  /** Starts a process that replaces one that has ended. */
  async start(server: number, ahead = 0): Promise<void> {
    const { home, programs, storage, plan, referee, machines, network } = this.#options
    const name = `server ${server}, process ${++this.#starts}`
    const log = join(home, 'hooks.log')
    const output = openSync(join(home, 'servers.log'), 'a')
    const host = network.addressOf(server)
    const place = storage.describe(server)
    const given = JSON.stringify({ plan, storage: place, log, name, ahead, host, port })
    const [execPath, ...before] = [...machines.on(server), process.execPath]
    const child = fork(join(programs, 'torture-server.mjs'), [given], {
      env: { ...process.env, NODE_OPTIONS: '', ...storage.environment },
      execPath,
      execArgv: [...before, '--import', join(programs, 'use-test-build.mjs')],
      stdio: ['ignore', output, output, 'ipc'],
    })
    closeSync(output)
    const exited = once(child, 'exit')
    const [first] = await Promise.race([once(child, 'message'), exited])
    if (first !== 'listening') throw new Error(`${name} ended before it listened`)
    const member = { name, child, doomed: false }
    this.#members[server] = member
    referee.note(`${name} listens, pid ${child.pid}`)
    void exited.then(([code, signal]) => {
      referee.note(`${name} ended: ${code ?? signal}`)
      if (!member.doomed) referee.blame(`${name} ended by itself: ${code ?? signal}`)
    })
  }

  /** Kills it at once. */
  async kill(server: number): Promise<void> {
    const member = this.#take(server)
    if (member === undefined) return
    this.#options.referee.killed(member.name)
    await end(member, 'SIGKILL')
  }

  /** Lets it finish its work first. */
  async stop(server: number): Promise<void> {
    const member = this.#take(server)
    if (member === undefined) return
    const late = setTimeout(() => {
      this.#options.referee.blame(`${member.name} did not stop within 30 s of SIGTERM`)
      member.child.kill('SIGKILL')
    }, 30_000)
    const [code, signal] = await end(member, 'SIGTERM')
    clearTimeout(late)
    if (code !== 0) this.#options.referee.blame(`${member.name} stopped: ${code ?? signal}, not 0`)
  }

  /** Suspends it. */
  async suspend(server: number, milliseconds: number): Promise<void> {
    const child = this.#members[server]?.child
    child?.kill('SIGSTOP')
    const until = now() + milliseconds
    while (now() < until) await new Promise((resolve) => setTimeout(resolve, until - now()))
    child?.kill('SIGCONT')
  }

  /** Removes expired uploads, and returns how many there were. */
  async sweep(server: number): Promise<number> {
    const { child, name } = this.#members[server]!
    child.send('sweep')
    const [said] = await Promise.race([once(child, 'message'), once(child, 'exit')])
    const swept = (said as { swept?: number } | null)?.swept
    if (swept === undefined) throw new Error(`${name} ended while it swept`)
    return swept
  }

  /** Ends all processes, whatever happened. */
  destroy(): void {
    for (const member of this.#members) {
      if (member === undefined) continue
      member.doomed = true
      member.child.kill('SIGKILL')
    }
  }

  #take(server: number): Member | undefined {
    const member = this.#members[server]
    this.#members[server] = undefined
    if (member !== undefined) member.doomed = true
    return member
  }
}

async function end({ child }: Member, signal: NodeJS.Signals) {
  const exited = once(child, 'exit')
  child.kill(signal)
  return exited as Promise<[code: number | null, signal: NodeJS.Signals | null]>
}
