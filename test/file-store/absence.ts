import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { Disk } from '../../src/file-store/disk/disk.js'
import { newDirectory } from './stage.js'

/** A directory on a disk that can be away. Then an empty one is in its place. */
export class MountedDirectory {
  readonly path: string
  readonly #home: string
  /** The files that the empty directory has after all. */
  below: readonly string[] = []
  #isAway = false
  #times = 0

  private constructor(home: string) {
    this.#home = home
    this.path = join(home, 'uploads')
  }

  static async make(): Promise<MountedDirectory> {
    return new MountedDirectory(await newDirectory())
  }

  unmount(): void {
    this.#isAway = true
    renameSync(this.path, join(this.#home, 'elsewhere'))
    mkdirSync(this.path)
    for (const name of this.below) writeFileSync(join(this.path, name), '')
  }

  /** Mounts the disk, unless it is there. */
  mount(): void {
    if (!this.#isAway) return
    this.#isAway = false
    renameSync(this.path, join(this.#home, `below-${++this.#times}`))
    renameSync(join(this.#home, 'elsewhere'), this.path)
  }
}

/** The functions that calls use, besides the steps of a {@link Disk}. */
const others = ['copyFile', 'mkdir', 'opendir', 'readdir', 'rename', 'rm', 'unlink'] as const

type Around = <T>(work: () => Promise<T>) => Promise<T>

/** Runs a call, with `around` for each of its steps. */
async function stepping<T>(around: Around, call: () => Promise<T>): Promise<T> {
  const { take } = Disk.prototype
  vi.spyOn(Disk.prototype, 'take').mockImplementation(function (this: Disk, ...args) {
    return around(() => take.apply(this, args))
  })
  for (const name of others) {
    const work = files[name] as (...args: unknown[]) => Promise<unknown>
    vi.spyOn(files, name).mockImplementation(((...args: unknown[]) =>
      around(() => work(...args))) as never)
  }
  syncBuiltinESMExports()
  try {
    return await call()
  } finally {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  }
}

/** For how many steps the disk is away. */
const lengths = [1, 2, 3, 4, 6, Infinity]

/** One run of a call, during which the disk was away for some time. */
export interface Absence<T> {
  readonly outcome: T | 'unavailable'
  /** Which steps the disk was away for. */
  readonly when: string
}

/**
 * Runs a call with the disk away after each step of it, for a few steps or until the end. `prepare`
 * returns the call for a new disk, `check` looks at each run of it.
 */
export async function everyAbsence<T, Stage extends { readonly run: () => Promise<T> }>(
  prepare: (disk: MountedDirectory) => Promise<Stage>,
  check: (absence: Absence<T>, stage: Stage) => Promise<void>,
): Promise<void> {
  for (let [gone, last] = [0, 0]; gone <= last; gone++) {
    for (const length of lengths) {
      const back = gone + length
      const disk = await MountedDirectory.make()
      const stage = await prepare(disk)
      let steps = 0
      if (gone === 0) disk.unmount()
      const around: Around = async (work) => {
        const step = ++steps
        if (step === back) disk.mount()
        try {
          return await work()
        } finally {
          if (step === gone) disk.unmount()
        }
      }
      let outcome: T | 'unavailable' = 'unavailable'
      try {
        outcome = await stepping(around, stage.run)
      } catch (error) {
        const when = `away after step ${gone}, until step ${back} of ${steps}`
        expect(error, when).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
      } finally {
        disk.mount()
      }
      last = Math.max(last, steps)
      await check(
        { outcome, when: `away after step ${gone}, until step ${back} of ${steps}` },
        stage,
      )
    }
  }
}
