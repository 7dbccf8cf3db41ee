import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { WriteOptions } from '../../capabilities/call-options.js'
import { TusError } from '../../errors.js'
import type { Directory } from '../disk/directory.js'
import type { OpenFile } from '../disk/disk.js'
import { writeFully } from '../disk/write-fully.js'

const blockSize = 1024 * 1024

/** The first `length` bytes of a file. */
export interface Piece {
  readonly path: string
  readonly length: number
}

/** Throws when the storage does not belong to the caller any more. Stands before every change. */
export function mustHold({ signal, fence }: WriteOptions): void {
  signal.throwIfAborted()
  if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
}

/** The folder beside the data at `path` in which its replacements are made. */
export function scratchPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`)
}

/**
 * Runs `work` with the path of a file that does not exist, in a folder of its own beside `path`. What an earlier
 * holder left there is removed first, so that a rename which it has yet to make fails.
 */
export async function withScratch(
  path: string,
  directory: Directory,
  options: WriteOptions,
  work: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = scratchPath(path)
  mustHold(options)
  await rm(folder, { recursive: true, force: true })
  mustHold(options)
  await directory.createFolder(folder)
  try {
    await work(join(folder, randomUUID()))
  } finally {
    // When the storage has changed hands, the folder may be the next holder's already.
    if (!options.signal.aborted && options.fence.held()) {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Puts a temporary file in the place of `path`, whole or not at all. */
export async function moveOver(
  temporary: string,
  path: string,
  directory: Directory,
  options: WriteOptions,
): Promise<void> {
  mustHold(options)
  await rename(temporary, path)
  await directory.syncFolder(dirname(path))
}

/** Makes the file `target` out of `pieces`. The first is cloned where the file system can do that. */
export async function joinPieces(
  target: string,
  pieces: readonly Piece[],
  directory: Directory,
  options: WriteOptions,
): Promise<void> {
  mustHold(options)
  const cloned = pieces[0] !== undefined && (await clone(pieces[0].path, target))
  const file = await directory.createFile(target, cloned ? 'r+' : 'wx')
  try {
    if (cloned) await cut(file, pieces[0]!.length)
    const blocks = [Buffer.allocUnsafeSlow(blockSize), Buffer.allocUnsafeSlow(blockSize)] as const
    let position = cloned ? pieces[0]!.length : 0
    for (const piece of pieces.slice(cloned ? 1 : 0)) {
      const source = await directory.disk.open(piece.path, 'r')
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

/** Forced, because a copy by the system cannot be interrupted, and is no faster than blocks. */
async function clone(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL)
    return true
  } catch {
    return false
  }
}

/** A clone has all of the source, which may end in bytes that never counted. */
async function cut(file: OpenFile, length: number): Promise<void> {
  const { size } = await file.stat()
  if (size < length) throw new TusError('ERR_DATA_MISSING')
  if (size > length) await file.truncate(length)
}

/** Copies the first `length` bytes. While one block is written, the next is read. */
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
    mustHold(options)
    const next = done + filled.length
    // Both to their end: under a write that is under way, the descriptor must not be closed and get another file.
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
