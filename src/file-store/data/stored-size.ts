import { constants, type Stats } from 'node:fs'
import { TusError } from '../../errors.js'
import type { Directory } from '../disk/directory.js'

const forReading = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)

/** Returns the size of a data file. With durability `disk`, waits until the disk has its bytes. */
export async function storedSize(path: string, directory: Directory): Promise<number> {
  if (!directory.onDisk) {
    const found = await directory.find(() => directory.disk.lstat(path))
    if (found === undefined) throw new TusError('ERR_DATA_MISSING')
    mustBeFile(found)
    return found.size
  }
  const file = await directory.openFile(path, forReading)
  try {
    const found = await file.stat()
    mustBeFile(found)
    // A concurrent writer may not have waited for the disk yet, and a reported offset must last.
    await directory.sync(file)
    // An interrupted creation may have left the name. Nothing is appended before the name is on
    // the disk.
    if (found.size === 0) await directory.syncName(path)
    return found.size
  } finally {
    await file.close()
  }
}

/** Throws when another kind of file is in the place of the data, which it says nothing about. */
function mustBeFile(found: Stats): void {
  if (found.isFile()) return
  const cause = new Error('in the place of the data is something that is not a file')
  throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
}
