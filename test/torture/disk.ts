import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { planDiskFault, type DiskFaultPlan } from './plan.js'
import type { Referee } from './referee.js'
import type { Storage } from './storage.js'

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
export class Disk implements Storage {
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

  describe(): object {
    return { directory: this.directory }
  }

  planFault(seed: number, number: number): DiskFaultPlan {
    return planDiskFault(seed, number)
  }

  /** Lets calls fail until the disk is healed. */
  async break({ calls, every, paths, error = 'EIO' }: Breakage): Promise<void> {
    const next = `${this.#switch}.next`
    await writeFile(next, `${calls} ${every} ${paths} ${constants.errno[error]}\n`)
    await rename(next, this.#switch)
  }

  async harm(plan: DiskFaultPlan): Promise<() => Promise<void>> {
    if (plan.kind === 'broken') await this.break(plan)
    else await this.#fill(plan)
    return () => this.heal()
  }

  async heal(): Promise<void> {
    await rm(this.#switch, { force: true })
    await this.#resize(roomy)
  }

  /** A lock is removed when it becomes free. Those of a killed process remain. */
  async judge(referee: Referee, records?: ReadonlySet<string>): Promise<readonly string[]> {
    const names = new Set(await readdir(this.directory))
    names.delete('.locks')
    names.delete('.tuskit')
    const files = [...names].filter((name) => !name.startsWith('.'))
    for (const id of files) {
      names.delete(id)
      const isRecorded = records?.has(id) ?? names.delete(`.${id}.info`)
      if (!isRecorded) referee.blame(`${id} is left without a record`)
      // Remains when the process was killed between the last verified byte and the removal of the
      // marker.
      names.delete(`.${id}.verified`)
    }
    for (const name of names) {
      if (await isBegun(join(this.directory, name))) referee.count('record without a line')
      else referee.blame(`${name} is left behind`)
    }
    return files
  }

  async digest(id: string): Promise<string> {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(this.directory, id)), hash)
    return hash.digest('hex')
  }

  async close(): Promise<void> {
    await run('umount', ['-l', this.#mount])
  }

  async #fill({ kind, left }: DiskFaultPlan): Promise<void> {
    for (;;) {
      const { blocks, bfree, bsize, files, ffree } = await statfs(this.#mount)
      const size = (blocks - bfree) * bsize + left
      const room = kind === 'full' ? `size=${size}` : `nr_inodes=${files - ffree + left}`
      // The kernel refuses a limit below the current usage.
      if (await this.#resize(room).then(yes, no)) return
    }
  }

  async #resize(room: string): Promise<void> {
    await run('mount', ['-o', `remount,${room}`, this.#mount])
  }
}

/**
 * Whether it is the record of a creation that was killed, or could neither write nor remove it. No
 * sweep may remove a record without a complete line, since the location of its data is unknown.
 */
async function isBegun(path: string): Promise<boolean> {
  if (!path.endsWith('.info')) return false
  const lines = (await readFile(path, 'latin1')).split('\n')
  // The first line ends what came before it, and the last one is not complete.
  return lines.length < 3
}

const yes = () => true
const no = () => false

function because(need: string): (cause: unknown) => never {
  return (cause) => {
    throw new Error(`${need}; that failed`, { cause })
  }
}
