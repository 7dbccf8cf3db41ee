import { constants, type Stats } from 'node:fs'
import { TusError } from '../../errors.js'
import type { ErrorCode } from '../../errors.js'
import type { Upload } from '../../upload.js'
import type { Directory } from '../disk/directory.js'
import { followLog, logLine } from './info-log.js'
import { unlessMissing } from '../disk/disk-error.js'
import type { OpenFile } from '../disk/disk.js'

/** Appending in one write is what keeps lines of different processes apart. */
export const forAppending = constants.O_RDWR | constants.O_APPEND

/** What differs whenever the content of a log does. */
export type Version = Pick<Stats, 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>

/** What of the state of a file tells its version. */
export function versionOf({ ino, size, mtimeMs, ctimeMs }: Stats): Version {
  return { ino, size, mtimeMs, ctimeMs }
}

/** Whether a log has not changed in between. */
export function isSame(a: Version, b: Version): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs
}

/**
 * The record whose log is at `path`; `undefined` when there is no file. Throws `ERR_INFO_CORRUPT` when there is one that
 * cannot be read. `lasting`: what is answered lasts as the directory promises.
 */
export async function readRecord(
  path: string,
  id: string,
  directory: Directory,
  lasting: boolean,
): Promise<Upload | undefined> {
  const file = await unlessMissing(directory.disk.open(path, 'r'))
  if (file === undefined) return undefined
  try {
    const upload = followLog(await readLog(file))?.upload
    // The place of its data stood in it only, so nobody can say that there is none.
    if (upload === undefined) throw unreadable('has no whole line')
    // Whoever wrote it may not have waited for the disk yet.
    if (lasting) await directory.sync(file)
    if (upload.id === id) return upload
    // Where names of files ignore case, this is the record of another id.
    if (upload.id.toLowerCase() === id.toLowerCase()) return undefined
    throw unreadable(`is that of ${upload.id}`)
  } finally {
    await file.close()
  }
}

function unreadable(what: string): TusError {
  return new TusError('ERR_INFO_CORRUPT', { cause: new Error(`The file of the record ${what}`) })
}

/** All of a log. */
export async function readLog(file: OpenFile): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(4096)
  for (let size = 0; ;) {
    const bytesRead = await file.read(buffer, size, buffer.length - size, size)
    size += bytesRead
    // A file gives as much as was asked for, except at its end.
    if (size < buffer.length) return buffer.subarray(0, size)
    buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)])
  }
}

/** A state to be appended to a log. */
export interface Addition {
  readonly upload: Upload
  /** What the log was last seen to be. */
  readonly seen: Buffer
  /** The revision that must stand before; `undefined`: no record at all. */
  readonly after: number | undefined
  /** What it means when something else does. */
  readonly refusal: ErrorCode
}

/** What an addition made of a log. */
export interface Added {
  readonly version: Version
  readonly json: string
}

/**
 * Appends a state to the log of a record, unless somebody else was first. Returns the log that ends with it, if that is
 * known.
 */
export async function addState(
  file: OpenFile,
  directory: Directory,
  { upload, seen, after, refusal }: Addition,
): Promise<Added | undefined> {
  for (let log = seen; ; log = await readLog(file)) {
    const end = followLog(log)
    if (end?.upload.revision !== after) break
    const { nonce, bytes, json } = logLine(upload, end)
    const bytesWritten = await file.write(bytes, null)
    if (bytesWritten < bytes.length) throw new TusError('ERR_STORAGE_FULL')
    await directory.sync(file)
    const stats = await file.stat()
    // Removed in the meantime, so the line went nowhere.
    if (stats.nlink === 0) break
    if (stats.size === log.length + bytes.length) return { version: versionOf(stats), json }
    // Somebody else wrote, too: before or after this line.
    if (followLog(await readLog(file))?.nonces.includes(nonce)) return undefined
  }
  throw new TusError(refusal)
}
