import { spawn, type ChildProcess } from 'node:child_process'
import { TusError } from '../errors.js'
import { withTimeout } from '../with-timeout.js'

/** The most that a program may write to its standard output, in bytes. */
const maxOutput = 1024 * 1024

export interface Program {
  readonly path: string
  readonly parameters: readonly string[]
  /** The folder in which it runs. */
  readonly directory: string
  /** Variables in addition to those of this process. */
  readonly variables: Readonly<Record<string, string>>
  readonly input: string
  /** In milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** How a program has ended. */
export interface Ended {
  readonly code: number
  /** The text on its standard output. */
  readonly output: string
}

/**
 * Runs a program until it ends. Kills it, with all its children, when it takes too long, writes too
 * much or the signal aborts. Rejects when it cannot be run or is killed.
 */
export async function runProgram(program: Program): Promise<Ended> {
  const { path, timeout, signal } = program
  signal.throwIfAborted()
  const child = start(program)
  const late = () => failure('ERR_HOOK_TIMEOUT', `${path} has not ended within ${timeout} ms`)
  try {
    return await withTimeout(timeout, endOf(child, path), late, signal)
  } catch (error) {
    kill(child)
    throw error
  }
}

function start({ path, parameters, directory, variables, input }: Program): ChildProcess {
  try {
    const child = spawn(path, parameters, {
      cwd: directory,
      env: { ...process.env, ...variables },
      stdio: ['pipe', 'pipe', 'inherit'],
      // In a group of its own, which can be killed as a whole.
      detached: true,
    })
    // A program need not read what it gets.
    child.stdin?.on('error', () => {}).end(input)
    return child
  } catch (cause) {
    // Such as an argument that is too long.
    throw new TusError('ERR_HOOK_UNAVAILABLE', { cause })
  }
}

/** Resolves when a program has ended and nothing can write to its output any more. */
function endOf(child: ChildProcess, path: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new TusError('ERR_HOOK_UNAVAILABLE', { cause })))
    const pieces: Buffer[] = []
    let size = 0
    // Absent when too many files are open.
    child.stdout?.on('data', (piece: Buffer) => {
      size += piece.length
      if (size <= maxOutput) pieces.push(piece)
      else reject(failure('ERR_HOOK_REPLY', `${path} has written more than ${maxOutput} bytes`))
    })
    child.on('close', (code, killedBy) => {
      if (code === null) reject(failure('ERR_HOOK_REPLY', `${path} was killed by ${killedBy}`))
      else resolve({ code, output: Buffer.concat(pieces).toString() })
    })
  })
}

function failure(code: 'ERR_HOOK_TIMEOUT' | 'ERR_HOOK_REPLY', message: string): TusError {
  return new TusError(code, { cause: new Error(message) })
}

function kill({ pid, stdin, stdout }: ChildProcess): void {
  // A child that has left the group may still hold the other ends.
  stdin?.destroy()
  stdout?.destroy()
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
