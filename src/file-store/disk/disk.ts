import fs, { type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { unlessMissing } from './unless-missing.js'

/** A step that takes longer than this is slow. All times here are in milliseconds. */
const slow = 1
/**
 * How long slow steps can block the event loop in each period. A longer block extends the period.
 */
const patience = 50
const period = 1_000

/** Copying up to this many bytes is faster than passing them to the thread pool. */
const fewBytes = 8_192

/** A step that runs in the event loop or in the thread pool. */
export interface Step<Args extends readonly unknown[], Result> {
  now(...args: Args): Result
  later(...args: Args): Promise<Result>
}

/**
 * Small steps on a file system: a name, a size, a few bytes.
 *
 * On a local disk such a step takes microseconds, and the thread pool costs ten times as much. So
 * steps run in the event loop. When the disk makes the loop wait (a network, a disk at its limit),
 * they run in the thread pool until the period is over. A step that never ends blocks the loop
 * forever.
 */
export class Disk {
  /** The end of the period. */
  #until = -Infinity
  /** How long slow steps have blocked the loop in it. */
  #waited = 0

  async open(path: string, flags: string | number, mode?: number): Promise<OpenFile> {
    return new OpenFile(this, await this.take(opening, path, flags, mode))
  }

  /** Returns the state of a file, or `undefined` if it is missing. */
  stat(path: string): Promise<Stats | undefined> {
    return this.take(looking, path)
  }

  /** Like {@link Disk.stat}, but does not follow links. */
  lstat(path: string): Promise<Stats | undefined> {
    return this.take(lookingAtLinks, path)
  }

  /** Runs a step in the event loop, unless the disk has blocked it for too long. */
  async take<Args extends readonly unknown[], Result>(
    step: Step<Args, Result>,
    ...args: Args
  ): Promise<Result> {
    const began = performance.now()
    if (began > this.#until) {
      this.#until = began + period
      this.#waited = 0
    }
    if (this.#waited > patience) return step.later(...args)
    try {
      return step.now(...args)
    } finally {
      const ended = performance.now()
      if (ended - began > slow) this.#waited += ended - began
      if (this.#waited > patience) this.#until = ended + (this.#waited / patience) * period
    }
  }
}

/** A file that is open. */
export class OpenFile {
  readonly #disk: Disk
  /** The descriptor. */
  readonly fd: number

  constructor(disk: Disk, fd: number) {
    this.#disk = disk
    this.fd = fd
  }

  /** Reads up to `length` bytes to `offset` of the buffer. Returns how many it read. */
  async read(buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
    const args = [this.fd, buffer, offset, length, position] as const
    return length > fewBytes ? reading.later(...args) : this.#disk.take(reading, ...args)
  }

  /**
   * Writes bytes and returns how many were written. `null` is the end of a file open for appending.
   */
  async write(bytes: Buffer, position: number | null): Promise<number> {
    const args = [this.fd, bytes, position] as const
    return bytes.length > fewBytes ? writing.later(...args) : this.#disk.take(writing, ...args)
  }

  /** Writes buffers one after another and returns how many bytes were written. */
  async writev(buffers: readonly Buffer[], position: number): Promise<number> {
    if (buffers.length === 1) return this.write(buffers[0]!, position)
    return (await writev(this.fd, buffers, position)).bytesWritten
  }

  stat(): Promise<Stats> {
    return this.#disk.take(lookingAtFile, this.fd)
  }

  truncate(length: number): Promise<void> {
    return ftruncate(this.fd, length)
  }

  setMtime(mtime: Date): Promise<void> {
    return futimes(this.fd, new Date(), mtime)
  }

  /** Waits until the disk has the content. */
  datasync(): Promise<void> {
    return fdatasync(this.fd)
  }

  /** Waits until the disk has everything, such as the names in a folder. */
  sync(): Promise<void> {
    return fsync(this.fd)
  }

  close(): Promise<void> {
    return this.#disk.take(closing, this.fd)
  }
}

const opening: Step<[path: string, flags: string | number, mode: number | undefined], number> = {
  now: fs.openSync,
  later: promisify(fs.open),
}

const closing: Step<[fd: number], void> = { now: fs.closeSync, later: promisify(fs.close) }

const stat = promisify(fs.stat)
const lstat = promisify(fs.lstat)
const notThrowing = { throwIfNoEntry: false } as const

const looking: Step<[path: string], Stats | undefined> = {
  now(path) {
    const found = fs.statSync(path, notThrowing)
    // In some versions of Node, `stat` reports other failures as a missing file. `lstat` does not.
    if (found === undefined) fs.lstatSync(path, notThrowing)
    return found
  },
  later: (path) => unlessMissing(stat(path)),
}

const lookingAtLinks: Step<[path: string], Stats | undefined> = {
  now: (path) => fs.lstatSync(path, notThrowing),
  later: (path) => unlessMissing(lstat(path)),
}

const lookingAtFile: Step<[fd: number], Stats> = {
  now: (fd) => fs.fstatSync(fd),
  later: promisify(fs.fstat),
}

const read = promisify(fs.read)

const reading: Step<
  readonly [fd: number, buffer: Buffer, offset: number, length: number, position: number],
  number
> = {
  now: fs.readSync,
  later: async (...args) => (await read(...args)).bytesRead,
}

const write = promisify(fs.write)

const writing: Step<readonly [fd: number, bytes: Buffer, position: number | null], number> = {
  now: (fd, bytes, position) => fs.writeSync(fd, bytes, 0, bytes.length, position),
  later: async (fd, bytes, position) =>
    (await write(fd, bytes, 0, bytes.length, position)).bytesWritten,
}

const writev = promisify(fs.writev)
const ftruncate = promisify(fs.ftruncate)
const futimes = promisify(fs.futimes)
const fdatasync = promisify(fs.fdatasync)
const fsync = promisify(fs.fsync)
