import { accessSync, constants } from 'node:fs'
import { failedBy, ok, type Finding } from './finding.js'

/** Finds out whether a socket can be made in a folder. */
export function trySocketFolder(folder: string, path: string): Finding {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return ok('address', `${path} is free`)
  } catch (error) {
    return failedBy('address', error)
  }
}
