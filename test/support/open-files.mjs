// @ts-check
import { readdirSync, readlinkSync } from 'node:fs'

/**
 * Returns the paths of the files below a directory that this process has open, as Linux reports
 * them.
 *
 * @param {string} directory
 */
export function openFiles(directory) {
  return readdirSync('/proc/self/fd')
    .map(targetOf)
    .filter((path) => path.startsWith(directory))
}

/** @param {string} descriptor */
function targetOf(descriptor) {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    // The descriptor of the listing itself.
    return ''
  }
}
