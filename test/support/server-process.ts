import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { HandlerOptions } from 'tuskit'

const program = fileURLToPath(new URL('../programs/stopping-server.mjs', import.meta.url))

/** The argument of `test/programs/stopping-server.mjs`. */
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

/** A server in another process. */
export interface ServerProcess {
  readonly origin: string
  readonly child: ChildProcess
  /** Resolves when the process has reached the point where it stops. */
  readonly stopped: Promise<void>
  /** Lets it continue from there. */
  resume(): void
  /** Kills the process with SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>
}

/**
 * Starts a server in another process, with additional environment. The end of the test kills it.
 */
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
  return { origin, child, stopped, resume: () => void child.send('resume'), kill }
}
