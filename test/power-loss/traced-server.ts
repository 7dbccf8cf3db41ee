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

// With a question mark: not every architecture has it.
const traced = [
  ...['openat', '?open', '?mkdir', 'mkdirat', '?unlink', 'unlinkat', '?rmdir'],
  ...['?rename', '?renameat', 'renameat2', 'fsync', 'fdatasync', 'ftruncate'],
  ...['write', 'writev', 'pwrite64', 'pwritev', 'ioctl', 'sendfile', 'copy_file_range', 'read'],
]

/** What `test/programs/durable-server.mjs` takes, and what lies on the disk before it starts. */
export interface TraceOptions {
  readonly durability?: 'os' | 'disk'
  readonly locate?: string
  readonly hooks?: boolean
  /** Makes what is there before the server starts, in the directory of the uploads. */
  readonly before?: (directory: string) => Promise<void>
}

export interface TracedSite {
  readonly origin: string
  /** Where the uploads are. */
  readonly directory: string
}

/**
 * What a server did on the disk, and which messages came and left, while `work` went on. Paths begin with `uploads`,
 * the directory of the uploads; the directory around it is the empty path.
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
    // A ring of the kernel would do what no call shows.
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, UV_USE_IO_URING: '0' } },
  )
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const ended = exited.then(() => {
    throw new Error('The traced server ended before it listened: see what strace said')
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
