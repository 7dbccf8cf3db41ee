import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { WriteOptions } from '../../capabilities/call-options.js'
import { TusError } from '../../errors.js'
import { assertMayChange } from '../../store-kit/assert-may-change.js'
import type { Directory } from '../disk/directory.js'
import type { OpenFile } from '../disk/disk.js'
import { writeFully } from '../disk/write-fully.js'

const blockSize = 1024 * 1024

/** The first `length` bytes of a file. */
export interface Piece {
  readonly path: string
  readonly length: number
}

/** Returns the folder next to the data at `path` in which its replacement is made. */
export function scratchPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`)
}

/**
 * Runs `work` with the path of a new file, in a separate folder next to `path`. The files that an
 * earlier holder left there are removed first, so that its pending rename fails.
 */
export async function withScratch(
  path: string,
  directory: Directory,
  options: WriteOptions,
  work: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = scratchPath(path)
  await directory.remove(async () => {
    assertMayChange(options)
    await rm(folder, { recursive: true })
  })
  assertMayChange(options)
  await directory.createFolder(folder)
  try {
    await work(join(folder, randomUUID()))
  } finally {
    // After the lock is lost, the folder may already belong to the next holder.
    if (!options.signal.aborted && options.fence.held()) {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Replaces `path` with a temporary file atomically. */
export async function moveOver(
  temporary: string,
  path: string,
  directory: Directory,
  options: WriteOptions,
): Promise<void> {
  await directory.again(async () => {
    assertMayChange(options)
    await rename(temporary, path)
  })
  await directory.syncFolder(dirname(path))
}

/**
 * Creates the file `target` from `pieces`. Clones the first where the file system supports that.
 */
export async function joinPieces(
  target: string,
  pieces: readonly Piece[],
  directory: Directory,
  options: WriteOptions,
): Promise<void> {
  assertMayChange(options)
  const cloned = pieces[0] !== undefined && (await clone(pieces[0].path, target))
  const file = await directory.createFile(target, cloned ? 'r+' : 'wx')
  try {
    if (cloned) await cut(file, pieces[0]!.length)
    const blocks = [Buffer.allocUnsafeSlow(blockSize), Buffer.allocUnsafeSlow(blockSize)] as const
    let position = cloned ? pieces[0]!.length : 0
    for (const piece of pieces.slice(cloned ? 1 : 0)) {
      const source = await directory.openFile(piece.path, 'r')
      try {
        await copy(source, piece.length, file, position, blocks, options)
      } finally {
        await source.close()
      }
      position += piece.length
    }
    await directory.sync(file)
  } finally {
    await file.close()
  }
}

/** Clones or fails: a copy by the system cannot be interrupted and is no faster than blocks. */
async function clone(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL)
    return true
  } catch {
    return false
  }
}

/** Truncates a clone: the source may end in bytes that never counted. */
async function cut(file: OpenFile, length: number): Promise<void> {
  const { size } = await file.stat()
  if (size < length) throw new TusError('ERR_DATA_MISSING')
  if (size > length) await file.truncate(length)
}

/** Copies the first `length` bytes. Reads the next block while one is written. */
async function copy(
  source: OpenFile,
  length: number,
  target: OpenFile,
  position: number,
  blocks: readonly [Buffer, Buffer],
  options: WriteOptions,
): Promise<void> {
  const read = async (block: Buffer, from: number): Promise<Buffer> => {
    const wanted = Math.min(block.length, length - from)
    const bytesRead = wanted === 0 ? 0 : await source.read(block, 0, wanted, from)
    if (bytesRead === 0 && wanted > 0) throw new TusError('ERR_DATA_MISSING')
    return block.subarray(0, bytesRead)
  }
  let [used, free] = blocks
  let filled = await read(used, 0)
  for (let done = 0; done < length; [used, free] = [free, used]) {
    assertMayChange(options)
    const next = done + filled.length
    // Wait for both even if one fails: a descriptor closed during a write could be reused.
    const [written, ahead] = await Promise.allSettled([
      writeFully(target, [filled], position + done),
      read(free, next),
    ])
    if (written.status === 'rejected') throw written.reason
    if (ahead.status === 'rejected') throw ahead.reason
    filled = ahead.value
    done = next
  }
}
