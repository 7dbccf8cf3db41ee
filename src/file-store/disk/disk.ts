import fs, { type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { unlessMissing } from './disk-error.js'

/** A step that takes longer than this is a slow one. Milliseconds, as all times here. */
const slow = 1
/** For so long slow steps may hold up the event loop in each period; one that does longer makes the period longer. */
const patience = 50
const period = 1_000

/** So much is copied faster than it is handed to the thread pool. */
const fewBytes = 8_192

/** A step, taken in the event loop or in the thread pool. */
export interface Step<Args extends readonly unknown[], Result> {
  now(...args: Args): Result
  later(...args: Args): Promise<Result>
}

/**
 * A file system, asked for small things: a name, a size, a few bytes.
 *
 * On a local disk such a step takes microseconds, and to hand it to the thread pool costs ten times as much as the
 * step. So it is taken in the event loop. A medium that makes the loop wait (a network, a disk at its limit) is asked
 * through the thread pool instead, until the period is over. A step that never ends holds up the loop for ever.
 */
export class Disk {
  /** When the period is over. */
  #until = -Infinity
  /** How long slow steps have held up the loop in it. */
  #waited = 0

  async open(path: string, flags: string | number, mode?: number): Promise<OpenFile> {
    return new OpenFile(this, await this.take(opening, path, flags, mode))
  }

  /** What is there; `undefined` if nothing is. */
  stat(path: string): Promise<Stats | undefined> {
    return this.take(looking, path)
  }

  /** As {@link Disk.stat}, but a link is seen as a link. */
  lstat(path: string): Promise<Stats | undefined> {
    return this.take(lookingAtLinks, path)
  }

  /** Takes a step: in the event loop, unless the medium has made it wait for too long. */
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

  /** Reads `length` bytes at most to `offset` of the buffer, and says how many came. */
  async read(buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
    const args = [this.fd, buffer, offset, length, position] as const
    return length > fewBytes ? reading.later(...args) : this.#disk.take(reading, ...args)
  }

  /** Writes, and says how many bytes were taken. `null`: where a file that is open for appending ends. */
  async write(bytes: Buffer, position: number | null): Promise<number> {
    const args = [this.fd, bytes, position] as const
    return bytes.length > fewBytes ? writing.later(...args) : this.#disk.take(writing, ...args)
  }

  /** Writes buffers one behind the other, and says how many bytes were taken. */
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
    // Some versions of Node take whatever keeps `stat` from looking for nothing; `lstat` does not.
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
