import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../bench/probe.mjs', import.meta.url))

/** Milliseconds between two requests. */
const every = 10

/** Measures how long other requests take, from a process that has nothing else to do. */
export class Probe {
  readonly #child: ChildProcess

  /** Starts to ask for an upload; resolves when it does. */
  static async start(port: number, path: string): Promise<Probe> {
    const child = fork(program, [`${port}`, path, `${every}`])
    await once(child, 'message')
    return new Probe(child)
  }

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Ends it; resolves with the milliseconds that each answer took. */
  async stop(): Promise<readonly number[]> {
    const told = once(this.#child, 'message')
    const exited = once(this.#child, 'exit')
    this.#child.send('stop')
    const [took] = (await Promise.race([told, exited.then(() => [[]])])) as [number[]]
    await exited
    return took
  }

  /** Ends it when nobody wants to know any more. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
