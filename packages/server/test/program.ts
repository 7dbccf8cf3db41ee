import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The program as the tests build it from the source. */
export const program = fileURLToPath(new URL('../.dist/program.js', import.meta.url))

export const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

/** How to run the program. */
export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly onStart?: (child: ChildProcess) => void
}

/** The end of a run. */
export interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** A program that serves uploads. */
export interface Running {
  readonly child: ChildProcess
  /** The URL of the base path. */
  readonly url: string
  /** All lines of its log, so far. */
  readonly log: () => string
  /** Stops it, and returns its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Runs a command of the program until it ends. */
export async function runProgram(
  parameters: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const child = start(parameters, options)
  options.onStart?.(child)
  let output = ''
  let errors = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}

/** Starts the program, and waits until it serves uploads. The end of the test stops it. */
export async function startProgram(
  parameters: readonly string[] = [],
  options: RunOptions = {},
): Promise<Running> {
  const child = start(['--port', '0', ...parameters], options)
  const exited = once(child, 'close') as Promise<[number | null]>
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text))
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    const [code] = await exited
    return code
  }
  onTestFinished(async () => void (await stop('SIGKILL')))
  const listening = (async () => {
    for await (const line of createInterface({ input: child.stdout! })) {
      const [, url] = /^Uploads to (\S+) are kept in /.exec(line) ?? []
      if (url !== undefined) return url
    }
    throw new Error(`The program has ended:\n${log}`)
  })()
  return { child, url: await listening, log: () => log, stop }
}

function start(parameters: readonly string[], { cwd, env }: RunOptions): ChildProcess {
  return spawn(process.execPath, ['--import', preload, program, ...parameters], {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
