import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { freePort } from '../../../test/support/free-port.js'

const program = fileURLToPath(new URL('programs/dying-server.mjs', import.meta.url))
const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

/** The steps of an event, from its first entry in the outbox to its removal from there. */
export const steps = ['enqueue', 'record', 'confirm', 'deliver', 'acknowledge'] as const
export const types = ['post-create', 'post-finish', 'post-terminate'] as const

/** Where a process kills itself. */
export interface Death {
  readonly when: 'before' | 'after'
  readonly step: (typeof steps)[number]
  readonly type: (typeof types)[number]
  /** At which time it gets there, from 1 on. */
  readonly count: number
}

/** Servers that share uploads and a port, one after another. Each one dies, except for the last. */
export class DyingServers {
  readonly #options: { readonly directory: string; readonly url: string }
  readonly port: number
  #current: ChildProcess | undefined
  #isOver = false
  #died = 0

  static async start(options: { readonly directory: string; readonly url: string }) {
    const servers = new DyingServers(options, await freePort())
    onTestFinished(() => servers.#end())
    return servers
  }

  private constructor(options: { readonly directory: string; readonly url: string }, port: number) {
    this.#options = options
    this.port = port
  }

  /** How many processes have died so far. */
  get died(): number {
    return this.#died
  }

  /**
   * Starts a server for each death, after the one before has died, and a last one. Resolves when
   * that one listens.
   */
  async run(deaths: readonly Death[], onDeath: () => Promise<void> = async () => {}) {
    for (const death of deaths) {
      const [, signal] = (await once(this.#start(death), 'exit')) as [number | null, string | null]
      if (this.#isOver) return
      if (signal !== 'SIGKILL') throw new Error(`The server ended with ${signal}`)
      this.#died++
      await onDeath()
    }
    if (!this.#isOver) await once(this.#start(undefined), 'message')
  }

  #start(death: Death | undefined): ChildProcess {
    const argument = JSON.stringify({ ...this.#options, port: this.port, death })
    // Errors are in the log of the server: those of the broker while it is down, for example.
    this.#current = fork(program, [argument], {
      execArgv: ['--import', preload],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    return this.#current
  }

  async #end(): Promise<void> {
    this.#isOver = true
    const server = this.#current
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
}
