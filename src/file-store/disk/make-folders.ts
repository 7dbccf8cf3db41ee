import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode, isMissing } from './unless-missing.js'

/**
 * Creates a folder and its parents, and returns the first one that it has created.
 *
 * The option `recursive` of `mkdir` does the same, but never ends in file systems such as `/proc`,
 * which report a missing parent for every new folder.
 */
export async function makeFolders(path: string, mode: number): Promise<string | undefined> {
  try {
    return await makeFolder(path, mode)
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error
  }
  const first = await makeFolders(dirname(path), mode)
  const last = await makeFolder(path, mode)
  return first ?? last
}

/** Creates a folder in an existing one. Returns `undefined` if it exists. */
async function makeFolder(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode })
    return path
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && (await stat(path)).isDirectory()) return undefined
    throw error
  }
}
