import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { LockClaim } from '../capabilities/locker.js'
import { errorCode } from './medium-error.js'

/** How an acquisition ended. `abandoned`: free, but an earlier holder never released the lock. */
export type LockEnd = 'released' | 'abandoned'

/** What one look at a lock showed. */
export interface LockView {
  /** The number of the last acquisition; 0 when there is none. */
  readonly number: number
  /** How that acquisition ended; absent while it lasts. */
  readonly end?: LockEnd
  /** The last heartbeat, as it stands in the file. */
  readonly beat: string
  /** The names of all files. */
  readonly names: readonly string[]
}

/**
 * The files of one lock. Each acquisition makes a file named by the next number; its content is a count of
 * heartbeats, and in the end `released`. Beside it stand the requests to the holder of that number.
 */
export class LockDirectory {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async list(): Promise<readonly string[]> {
    return readdir(this.path).catch(orIfMissing([]))
  }

  async look(): Promise<LockView> {
    for (;;) {
      const names = await this.list()
      const number = highest(names)
      if (number === 0) return { number, end: 'released', beat: '', names }
      const beat = await readFile(this.#fileOf(number), 'latin1').catch(orIfMissing(undefined))
      // Missing: removed since the directory was read, because a later number exists or the lock is unused.
      if (beat === undefined) continue
      const view = { number, beat, names }
      return beat === 'released' || beat === 'abandoned' ? { ...view, end: beat } : view
    }
  }

  /** Makes the file of an acquisition. Returns whether it was not there before. */
  async create(number: number): Promise<boolean> {
    for (;;) {
      try {
        await writeFile(this.#fileOf(number), '', { flag: 'wx' })
        return true
      } catch (error) {
        if (errorCode(error) === 'EEXIST') return false
        if (errorCode(error) !== 'ENOENT') throw error
        await this.#make()
      }
    }
  }

  /** Changes the file of an acquisition. Rejects with `ENOENT` when it has been removed. */
  async write(number: number, content: string): Promise<void> {
    // Overwritten in place: no content is shorter than the one before it, and closing makes it visible to others.
    await writeFile(this.#fileOf(number), content, { flag: 'r+' })
  }

  /** Leaves a request for the holder of `number` and returns its name. */
  async ask(number: number, claim: LockClaim, sender: string): Promise<string> {
    // Writers share a request: one answer serves them all.
    const name = claim === 'writer' ? `${number}.writer` : `${number}.reader.${sender}`
    await writeFile(join(this.path, name), '').catch(orIfMissing(undefined))
    return name
  }

  /** Removes files, absent ones included. */
  async remove(names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map((name) => unlink(join(this.path, name)).catch(orIfMissing(undefined))),
    )
  }

  async #make(): Promise<void> {
    // Not recursive at once: that fails when the directory is removed meanwhile, as unused ones are.
    try {
      await mkdir(this.path)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') await mkdir(dirname(this.path), { recursive: true })
      else if (errorCode(error) !== 'EEXIST') throw error
    }
  }

  #fileOf(number: number): string {
    return join(this.path, String(number))
  }
}

/** The highest of the names that are numbers, or 0. */
export function highest(names: readonly string[]): number {
  return names.reduce((most, name) => (/^\d+$/.test(name) ? Math.max(most, Number(name)) : most), 0)
}

/** Who sent the request of this name, or `undefined` when it is none for the holder of `number`. */
export function claimOf(name: string, number: number): LockClaim | undefined {
  const [of, claim] = name.split('.')
  return of === String(number) && (claim === 'writer' || claim === 'reader') ? claim : undefined
}

/** For `catch`: turns `ENOENT` into a value. */
export function orIfMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (errorCode(error) === 'ENOENT') return value
    throw error
  }
}
