import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** How a service is started. */
export interface ServiceOptions {
  readonly command: string
  readonly args?: readonly string[]
  /** The whole environment of the process. */
  readonly environment?: NodeJS.ProcessEnv
  /** The user that it runs as when the tests run as root. */
  readonly user: string
  /** A part of its output when it can be used. Default: at once. */
  readonly ready?: RegExp
}

/** A process of a service, with its children. */
export class ServiceProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''

  /**
   * Starts the process. Resolves when it is ready, and rejects with its output if it ends before.
   */
  static async start(options: ServiceOptions): Promise<ServiceProcess> {
    const { command, args = [], environment, user, ready = /^/ } = options
    const child = spawn(command, args, {
      ...identityOf(user),
      ...(environment && { env: environment }),
      // A group of its own, so that its children get its signals.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const service = new ServiceProcess(child)
    try {
      await service.#until(ready)
      return service
    } catch (error) {
      await service.kill()
      throw error
    }
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit').catch(() => {})
  }

  /**
   * Stops the process and its children with SIGSTOP: they stay connected, and do nothing. Resolves
   * when all of them stand still.
   */
  async pause(): Promise<void> {
    this.#signal('SIGSTOP')
    while (statesOf(this.#child.pid!).some((state) => !/[TZ]/.test(state))) await setImmediate()
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** Kills the process and its children with SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#exited
  }

  /** Everything that it has written. */
  get output(): string {
    return this.#output
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async #until(ready: RegExp): Promise<void> {
    const child = this.#child
    await new Promise<void>((resolve, reject) => {
      const take = (piece: Buffer) => {
        this.#output += piece.toString()
        if (ready.test(this.#output)) resolve()
      }
      // They are read until the end, because a full pipe would stop the process.
      child.stdout!.on('data', take)
      child.stderr!.on('data', take)
      child.on('error', reject)
      child.on('exit', () => reject(new Error(`The service ended: ${this.#output}`)))
      if (ready.test('')) child.on('spawn', resolve)
    })
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid !== undefined && this.isRunning) process.kill(-pid, signal)
  }
}

/** Returns the ids of a user, so that a service need not run as root. */
export function identityOf(user: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const idOf = (option: string) => Number(execFileSync('id', [option, user], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

/** Returns the states of the processes of a group, such as `T` for those that are stopped. */
function statesOf(group: number): readonly string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      // The name of the program is in parentheses, and may have any characters.
      const [, rest] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))!
      const [state, , itsGroup] = rest!.split(' ')
      return Number(itsGroup) === group ? [state!] : []
    } catch {
      // It has just ended.
      return []
    }
  })
}
