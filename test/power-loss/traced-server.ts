import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../support/serve.js'
import { eventsOf } from './disk-events.js'
import type { DiskEvent } from './disk-events.js'
import { parseLog } from './strace-log.js'

const program = fileURLToPath(new URL('../programs/durable-server.mjs', import.meta.url))

// A question mark lets strace ignore a call that the architecture does not have.
const traced = [
  ...['openat', '?open', '?mkdir', 'mkdirat', '?unlink', 'unlinkat', '?rmdir'],
  ...['?rename', '?renameat', 'renameat2', 'fsync', 'fdatasync', 'ftruncate'],
  ...['write', 'writev', 'pwrite64', 'pwritev', 'ioctl', 'sendfile', 'copy_file_range', 'read'],
]

/** Options of `test/programs/durable-server.mjs`, and a function that prepares the disk. */
export interface TraceOptions {
  readonly durability?: 'os' | 'disk'
  readonly locate?: string
  readonly hooks?: boolean
  /** Prepares the directory of the uploads before the server starts. */
  readonly before?: (directory: string) => Promise<void>
}

export interface TracedSite {
  readonly origin: string
  /** The directory of the uploads. */
  readonly directory: string
}

/**
 * Runs `work` against a traced server, and returns what the server did on the disk and which
 * messages it received and sent. Paths begin with `uploads`, the directory of the uploads; the
 * empty path is the directory around it.
 */
export async function trace(
  { durability = 'disk', before, ...options }: TraceOptions,
  work: (site: TracedSite) => Promise<void>,
): Promise<DiskEvent[]> {
  const root = await realpath(await temporaryDirectory())
  const directory = join(root, 'uploads')
  if (before !== undefined) {
    await mkdir(directory)
    await before(directory)
  }
  const existing = await readdir(root, { recursive: true })
  const log = join(await temporaryDirectory(), 'log')
  const child = spawn(
    'strace',
    [
      ...['-f', '-yy', '-s', '65536', '-o', log, '-e', `trace=${traced.join()}`],
      ...[process.execPath, program, JSON.stringify({ directory, durability, ...options })],
    ],
    // With io_uring, the kernel would write without a call that strace sees.
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, UV_USE_IO_URING: '0' } },
  )
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const ended = exited.then(() => {
    throw new Error('The traced server ended before it listened: see the output of strace')
  })
  const [origin] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    ended,
  ])) as string[]
  await work({ origin: origin!, directory })
  child.stdin.end()
  await exited
  return eventsOf(parseLog(await readFile(log, 'utf8')), root, existing)
}
