import { execFile } from 'node:child_process'
import { mkdir, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { DiskFaultPlan } from './plan.js'

const run = promisify(execFile)
const source = fileURLToPath(new URL('../torture/eio.c', import.meta.url))
const roomy = 'size=2g,nr_inodes=200k'

/**
 * The calls to fail, by their letters in `eio.c`; how often (every n-th); and a part of the paths.
 */
export interface Breakage extends Pick<DiskFaultPlan, 'calls' | 'every' | 'paths'> {
  /** The error that the calls report. Default: `EIO`. */
  readonly error?: keyof typeof constants.errno
}

/** A file system in memory that can be full, and whose calls can fail. */
export class Disk {
  /** The directory of the uploads. */
  readonly directory: string
  readonly #mount: string
  readonly #switch: string
  readonly #shim: string

  private constructor(home: string) {
    this.#mount = join(home, 'disk')
    this.directory = join(this.#mount, 'uploads')
    this.#switch = join(home, 'switch')
    this.#shim = join(home, 'eio.so')
  }

  /**
   * Mounts the disk. It needs the right to mount and a C compiler, and says so when one is missing.
   */
  static async mount(home: string): Promise<Disk> {
    const disk = new Disk(home)
    const shared = ['-shared', '-fPIC', '-O1', '-o', disk.#shim, source, '-ldl']
    await run('gcc', shared).catch(because('The torture compiles a library with gcc'))
    await mkdir(disk.#mount)
    const mount = ['-t', 'tmpfs', '-o', roomy, 'tmpfs', disk.#mount]
    await run('mount', mount).catch(because('The torture mounts a tmpfs, so it must run as root'))
    await mkdir(disk.directory)
    return disk
  }

  /** Returns the environment that makes the calls of a process fail. */
  get environment(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: this.#shim,
      TORTURE_DIRECTORY: this.directory,
      TORTURE_SWITCH: this.#switch,
      UV_USE_IO_URING: '0',
    }
  }

  /** Lets calls fail until the disk is healed. */
  async break({ calls, every, paths, error = 'EIO' }: Breakage): Promise<void> {
    const next = `${this.#switch}.next`
    await writeFile(next, `${calls} ${every} ${paths} ${constants.errno[error]}\n`)
    await rename(next, this.#switch)
  }

  async harm(plan: DiskFaultPlan): Promise<void> {
    const { kind, left } = plan
    if (kind === 'broken') return this.break(plan)
    for (;;) {
      const { blocks, bfree, bsize, files, ffree } = await statfs(this.#mount)
      const size = (blocks - bfree) * bsize + left
      const room = kind === 'full' ? `size=${size}` : `nr_inodes=${files - ffree + left}`
      // The kernel refuses a limit below the current usage.
      if (await this.#resize(room).then(yes, no)) return
    }
  }

  async heal(): Promise<void> {
    await rm(this.#switch, { force: true })
    await this.#resize(roomy)
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.#mount])
  }

  async #resize(room: string): Promise<void> {
    await run('mount', ['-o', `remount,${room}`, this.#mount])
  }
}

const yes = () => true
const no = () => false

function because(need: string): (cause: unknown) => never {
  return (cause) => {
    throw new Error(`${need}; that failed`, { cause })
  }
}
