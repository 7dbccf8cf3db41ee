import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { basename, join } from 'node:path'
import { freePort } from '../support/free-port.js'
import type { Contestant } from './contestants.js'
import { ProcessMeter } from './process-meter.js'

const running = new Set<ChildProcess>()

// Ends the servers whatever ends the bench.
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** How long a server may take to listen, in milliseconds. */
const startTimeout = 10_000

/** A server in a process of its own. */
export class RunningServer {
  readonly directory: string
  readonly meter: ProcessMeter
  readonly #child: ChildProcess
  #port = 0
  #errors = ''

  /** Starts a server with its data in a directory, and resolves when it listens. */
  static async start(contestant: Contestant, directory: string): Promise<RunningServer> {
    const { choosesPort } = contestant
    const given = choosesPort ? 0 : await freePort()
    const [program, ...args] = contestant.command(directory, given)
    const stdio = ['ignore', choosesPort ? 'pipe' : 'ignore', 'pipe'] as const
    const child = spawn(program, args, { stdio: [...stdio] })
    await once(child, 'spawn')
    const server = new RunningServer(child, directory)
    const ended = once(child, 'close').then(() => {
      throw new Error(`not started: ${server.ending()}`)
    })
    try {
      server.#port = await Promise.race([
        choosesPort ? printedPort(child) : reachable(given),
        ended,
      ])
      // The process ends at some time, which must not count as an unhandled rejection.
      ended.catch(() => {})
      return server
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child
    this.directory = directory
    this.meter = new ProcessMeter(child.pid!)
    running.add(child)
    child.once('exit', () => running.delete(child))
    child.stderr!.on('data', (data: Buffer) => {
      this.#errors = `${this.#errors}${data.toString()}`.slice(-2_000)
    })
  }

  get port(): number {
    return this.#port
  }

  /** Returns the file with the bytes of an upload. All these servers name it by the id. */
  fileOf(path: string): string {
    return join(this.directory, basename(path))
  }

  /** Describes how the process ended, if it did. */
  ending(): string | undefined {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) return undefined
    const lines = this.#errors.trim().split('\n')
    const reason = lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.at(-1)!
    return `the process ended with ${exitCode ?? signalCode}: ${reason.trim()}`
  }

  /** Resolves when the server has closed the connections that the clients closed. */
  async settled(): Promise<void> {
    for (let before = Infinity, now = this.meter.descriptors(); now < before;) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      before = now
      now = this.meter.descriptors()
    }
  }

  async stop(): Promise<void> {
    if (this.ending() !== undefined) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

/** Returns the port that a program prints as its first line. */
async function printedPort(child: ChildProcess): Promise<number> {
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  // Keep reading, so that the process never blocks.
  child.stdout!.resume()
  return Number(line.toString())
}

/** Resolves when a server listens. */
async function reachable(port: number): Promise<number> {
  const until = performance.now() + startTimeout
  for (;;) {
    const socket = net.connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return port
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      socket.destroy()
    }
  }
}
