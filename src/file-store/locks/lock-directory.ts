import fs from 'node:fs'
import { readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LockRequester } from '../../capabilities/locker.js'
import type { Directory } from '../disk/directory.js'
import { errorCode, isMissing, unlessMissing } from '../disk/unless-missing.js'
import type { Step } from '../disk/disk.js'

/**
 * How an acquisition ended. `abandoned` means free, but an earlier holder never released the lock.
 */
export type LockEnd = 'released' | 'abandoned'

/** A snapshot of a lock. */
export interface LockView {
  /** The number of the last acquisition, or 0 before the first. */
  readonly number: number
  /** How that acquisition ended. Absent while it lasts. */
  readonly end?: LockEnd
  /** The last heartbeat in the file. */
  readonly beat: string
  /** The names of all files. */
  readonly names: readonly string[]
}

/**
 * The files of one lock. Each acquisition creates a file named by the next number. It contains a
 * count of heartbeats, and finally `released`. On a full disk its name says so instead
 * (`7.released`). Requests to the holder of that number are files next to it.
 */
export class LockDirectory {
  readonly path: string
  readonly #directory: Directory

  constructor(path: string, directory: Directory) {
    this.path = path
    this.#directory = directory
  }

  list(): Promise<readonly string[]> {
    return listFolder(this.path, this.#directory)
  }

  async look(): Promise<LockView> {
    for (;;) {
      const names = await this.list()
      const number = highest(names)
      if (number === 0) return { number, end: 'released', beat: '', names }
      const end = endIn(names, number)
      if (end !== undefined) return { number, end, beat: '', names }
      const reads = this.#directory.disk.take(reading, this.#fileOf(number))
      const beat = await unlessMissing(reads)
      // It was removed since the directory was read: a later number exists, or the lock is unused.
      if (beat === undefined) continue
      const view = { number, beat, names }
      return beat === 'released' || beat === 'abandoned' ? { ...view, end: beat } : view
    }
  }

  /** Creates the file of an acquisition. Returns whether it is new. */
  async create(number: number): Promise<boolean> {
    for (;;) {
      try {
        await this.#write(this.#fileOf(number), '', 'wx')
        return true
      } catch (error) {
        if (errorCode(error) === 'EEXIST') return false
        if (!isMissing(error)) throw error
        await this.#make()
      }
    }
  }

  /**
   * Returns the identity of the file of an acquisition, because another directory can have one with
   * the same number. Returns `undefined` when it is missing.
   */
  async identify(number: number): Promise<string | undefined> {
    const path = this.#fileOf(number)
    const found = await this.#directory.find(() => this.#directory.disk.lstat(path))
    return found && `${found.dev} ${found.ino}`
  }

  /** Changes the file of an acquisition. Rejects with `ENOENT` when it has been removed. */
  async write(number: number, content: string): Promise<void> {
    // Overwritten in place: content never gets shorter, and closing makes it visible to others.
    await this.#write(this.#fileOf(number), content, 'r+')
  }

  /**
   * Records how an acquisition ended: in its file, or in its name where the file cannot be written.
   * A full disk has no space for content, but can rename a file.
   */
  async end(number: number, end: LockEnd): Promise<void> {
    try {
      await this.write(number, end)
    } catch (error) {
      if (isMissing(error)) throw error
      await rename(this.#fileOf(number), `${this.#fileOf(number)}.${end}`)
    }
  }

  /** Leaves a request for the holder of `number` and returns its name. */
  async ask(number: number, requester: LockRequester, sender: string): Promise<string> {
    // Writers share a request, because one response serves them all.
    const name = requester === 'writer' ? `${number}.writer` : `${number}.reader.${sender}`
    await unlessMissing(this.#write(`${this.path}/${name}`, '', 'w'))
    return name
  }

  /** Removes files. Missing files are no error. */
  async remove(names: readonly string[]): Promise<void> {
    const { disk } = this.#directory
    const remove = (name: string) => disk.take(removing, `${this.path}/${name}`)
    await Promise.all(names.map((name) => unlessMissing(remove(name))))
  }

  async #make(): Promise<void> {
    // Not recursive at first: that fails when the directory, being unused, is removed meanwhile.
    try {
      await this.#directory.createInnerFolder(this.path)
    } catch (error) {
      if (isMissing(error)) await this.#directory.createFolder(dirname(this.path))
      else if (errorCode(error) !== 'EEXIST') throw error
    }
  }

  /** Tries twice, because the directory may have been missing only for a moment. */
  async #write(path: string, content: string, flag: string): Promise<void> {
    const { disk, filePermissions: mode } = this.#directory
    await this.#directory.again(() => disk.take(writing, path, content, { flag, mode }))
  }

  #fileOf(number: number): string {
    return `${this.path}/${number}`
  }
}

/** Returns the names in a folder, or an empty array if it is missing. */
export async function listFolder(path: string, directory: Directory): Promise<readonly string[]> {
  const look = () => unlessMissing(directory.disk.take(listing, path))
  return (await directory.find(look)) ?? []
}

const listing: Step<[path: string], string[]> = {
  now: (path) => fs.readdirSync(path),
  later: (path) => readdir(path),
}

const reading: Step<[path: string], string> = {
  now: (path) => fs.readFileSync(path, 'latin1'),
  later: (path) => readFile(path, 'latin1'),
}

const writing: Step<[path: string, content: string, how: { flag: string; mode: number }], void> = {
  now: fs.writeFileSync,
  later: writeFile,
}

const removing: Step<[path: string], void> = { now: fs.unlinkSync, later: unlink }

/** Returns the highest number of an acquisition among the names, or 0. */
export function highest(names: readonly string[]): number {
  const numbered = names.filter((name) => /^\d+(\.(released|abandoned))?$/.test(name))
  return numbered.reduce((most, name) => Math.max(most, Number.parseInt(name, 10)), 0)
}

/** Returns how an acquisition ended, if a name says so. */
export function endIn(names: readonly string[], number: number): LockEnd | undefined {
  return (['abandoned', 'released'] as const).find((end) => names.includes(`${number}.${end}`))
}

/** Returns the requester if this name is a request to the holder of `number`. */
export function requesterOf(name: string, number: number): LockRequester | undefined {
  const [of, requester] = name.split('.')
  return of === String(number) && (requester === 'writer' || requester === 'reader')
    ? requester
    : undefined
}
