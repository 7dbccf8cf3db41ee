import { constants, type Stats } from 'node:fs'
import { TusError } from '../../errors.js'
import type { ErrorCode } from '../../error-codes.js'
import type { Upload } from '../../upload.js'
import type { Directory } from '../disk/directory.js'
import { followLog, logLine } from './info-log.js'
import { unlessMissing } from '../disk/unless-missing.js'
import type { OpenFile } from '../disk/disk.js'

/** Each line is appended in one write, so that lines of different processes do not mix. */
export const forAppending = constants.O_RDWR | constants.O_APPEND

/** Values that change whenever the content of a log does. */
export type Version = Pick<Stats, 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>

/** Returns the version of a file from its state. */
export function versionOf({ ino, size, mtimeMs, ctimeMs }: Stats): Version {
  return { ino, size, mtimeMs, ctimeMs }
}

/** Returns whether two versions of a log are the same. */
export function isSame(a: Version, b: Version): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs
}

/**
 * Reads the record whose log is at `path`. Returns `undefined` when the file is missing, and throws
 * `ERR_INFO_CORRUPT` when it cannot be read. With `lasting`, the result is as durable as the
 * options of the directory promise.
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
    // Only this record knew the place of its data, so the data may exist.
    if (upload === undefined) throw unreadable('has no whole line')
    // Its writer may not have waited for the disk yet.
    if (lasting) await directory.sync(file)
    if (upload.id === id) return upload
    // On a file system that ignores case, this is the record of another id.
    if (upload.id.toLowerCase() === id.toLowerCase()) return undefined
    throw unreadable(`is that of ${upload.id}`)
  } finally {
    await file.close()
  }
}

function unreadable(what: string): TusError {
  return new TusError('ERR_INFO_CORRUPT', { cause: new Error(`The file of the record ${what}`) })
}

/** Reads a whole log. */
export async function readLog(file: OpenFile): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(4096)
  for (let size = 0; ;) {
    const bytesRead = await file.read(buffer, size, buffer.length - size, size)
    size += bytesRead
    // A short read means the end of the file.
    if (size < buffer.length) return buffer.subarray(0, size)
    buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)])
  }
}

/** A state to be appended to a log. */
export interface Addition {
  readonly upload: Upload
  /** The last known content of the log. */
  readonly seen: Buffer
  /** The revision that the log must have. `undefined` means no record. */
  readonly after: number | undefined
  /** The error code if the log has another revision. */
  readonly conflict: ErrorCode
}

/** The result of appending to a log. */
export interface Added {
  readonly version: Version
  readonly json: string
}

/**
 * Appends a state to the log of a record, unless another writer was first. Returns the log that
 * ends with it, if that is known.
 */
export async function addState(
  file: OpenFile,
  directory: Directory,
  { upload, seen, after, conflict }: Addition,
): Promise<Added | undefined> {
  for (let log = seen; ; log = await readLog(file)) {
    const end = followLog(log)
    if (end?.upload.revision !== after) break
    const { nonce, bytes, json } = logLine(upload, end)
    const bytesWritten = await file.write(bytes, null)
    if (bytesWritten < bytes.length) throw new TusError('ERR_STORAGE_FULL')
    await directory.sync(file)
    const stats = await file.stat()
    // The file was removed in the meantime, so the line is lost.
    if (stats.nlink === 0) break
    if (stats.size === log.length + bytes.length) return { version: versionOf(stats), json }
    // Another process wrote too, before or after this line.
    if (followLog(await readLog(file))?.nonces.includes(nonce)) return undefined
  }
  throw new TusError(conflict)
}
