import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { HandlerOptions } from 'tuskit'

const program = fileURLToPath(new URL('../programs/stopping-server.mjs', import.meta.url))

/** What `test/programs/stopping-server.mjs` takes. */
export interface ServerOptions extends Pick<
  HandlerOptions,
  'expiration' | 'takeoverAfter' | 'idleTimeout' | 'lockTimeout' | 'settleTimeout'
> {
  readonly directory: string
  readonly lease?: number
  readonly locate?: string
  readonly finisher?: boolean
  readonly preFinish?: boolean
  readonly quiet?: boolean
  readonly stop?: string
}

/** A server in a process of its own. */
export interface ServerProcess {
  readonly origin: string
  readonly child: ChildProcess
  /** Resolves when the process has come to the point where it does not go on. */
  readonly stopped: Promise<void>
  /** Lets it go on from there. */
  goOn(): void
  /** Kills the process as it stands, and resolves when it is gone. */
  kill(): Promise<void>
}

/** Starts a server in a process of its own, with what its environment has besides; killed when the test is over. */
export async function startServer(
  options: ServerOptions,
  environment: NodeJS.ProcessEnv = {},
): Promise<ServerProcess> {
  const env = { ...process.env, ...environment }
  const child = fork(program, [JSON.stringify(options)], { env })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  const stopped = new Promise<void>((resolve) => {
    child.on('message', ({ event }: { event: string }) => {
      if (event === 'stopped') resolve()
    })
  })
  const [{ origin }] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => {
      throw new Error('The server process ended before it listened')
    }),
  ])) as [{ origin: string }]
  return { origin, child, stopped, goOn: () => void child.send('go on'), kill }
}
