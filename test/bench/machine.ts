import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { resolve, sep } from 'node:path'

/** Describes what the figures depend on, in one line. */
export function describeMachine(directory: string): string {
  const processors = cpus()
  const memory = Math.round(totalmem() / 1024 ** 3)
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}`,
    `${memory} GiB of memory`,
    `files on ${fileSystemOf(directory)}`,
    `Linux ${release()}`,
    `Node ${process.version}`,
  ].join(', ')
}

/** Returns the type of the file system of a directory. */
function fileSystemOf(directory: string): string {
  const path = resolve(directory) + sep
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => path.startsWith(point.endsWith(sep) ? point : point + sep))
  // A later mount hides an earlier one at the same place.
  const [, , type = 'unknown'] = mounts.toSorted((a, b) => a[1]!.length - b[1]!.length).at(-1) ?? []
  return type
}
