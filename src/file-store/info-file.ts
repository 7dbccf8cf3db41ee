import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { TusError } from '../errors.js'
import type { ErrorCode } from '../errors.js'
import type { Upload } from '../upload.js'
import type { Directory } from './directory.js'
import { followLog, logLine } from './info-log.js'
import { unlessMissing } from './medium-error.js'

/** Appending in one write is what keeps lines of different processes apart. */
export const forAppending = constants.O_RDWR | constants.O_APPEND

/** A text that differs whenever the content of the log at `path` does; `undefined` when there is none. */
export async function versionOf(path: string): Promise<string | undefined> {
  const found = await unlessMissing(stat(path))
  return found && `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`
}

/** The record whose log is at `path`. With a directory, what is answered lasts as it promises. */
export async function readRecord(
  path: string,
  id: string,
  directory?: Directory,
): Promise<Upload | undefined> {
  const file = await unlessMissing(open(path, 'r'))
  if (file === undefined) return undefined
  try {
    const upload = followLog(await readLog(file))?.upload
    // Whoever wrote it may not have waited for the disk yet.
    await directory?.sync(file)
    // Where names of files ignore case, this may be the record of another id.
    return upload?.id === id ? upload : undefined
  } finally {
    await file.close()
  }
}

/** All of a log. */
export async function readLog(file: FileHandle): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(4096)
  for (let size = 0; ;) {
    const { bytesRead } = await file.read(buffer, size, buffer.length - size, size)
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

/** Appends a state to the log of a record, unless somebody else was first. */
export async function addState(
  file: FileHandle,
  directory: Directory,
  { upload, seen, after, refusal }: Addition,
): Promise<void> {
  for (let log = seen; followLog(log)?.upload.revision === after; log = await readLog(file)) {
    const { nonce, bytes } = logLine(upload, log)
    const { bytesWritten } = await file.write(bytes)
    if (bytesWritten < bytes.length) throw new TusError('ERR_STORAGE_FULL')
    await directory.sync(file)
    const { size, nlink } = await file.stat()
    // Removed in the meantime, so the line went nowhere.
    if (nlink === 0) break
    if (size === log.length + bytes.length) return
    // Somebody else wrote, too: before or after this line, or into it when theirs was cut off.
    if (followLog(await readLog(file))?.nonces.includes(nonce)) return
  }
  throw new TusError(refusal)
}
