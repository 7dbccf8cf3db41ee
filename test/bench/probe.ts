import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../bench/probe.mjs', import.meta.url))

/** Milliseconds between two requests. */
const every = 10

/** Measures how long other requests take, from a process that has nothing else to do. */
export class Probe {
  readonly #child: ChildProcess

  /** Starts the requests, and resolves when they run. */
  static async start(port: number, path: string): Promise<Probe> {
    const child = fork(program, [`${port}`, path, `${every}`])
    await once(child, 'message')
    return new Probe(child)
  }

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Stops; resolves with the milliseconds that each response took. */
  async stop(): Promise<readonly number[]> {
    const message = once(this.#child, 'message')
    const exited = once(this.#child, 'exit')
    this.#child.send('stop')
    const [took] = (await Promise.race([message, exited.then(() => [[]])])) as [number[]]
    await exited
    return took
  }

  /** Stops without a result. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
