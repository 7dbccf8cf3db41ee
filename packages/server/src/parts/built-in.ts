import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { duration, mode, oneOf, yesOrNo } from '../settings/value-types.js'
import { parseFileUrl } from './file-url.js'
import type { Plugin } from './plugin.js'

const directory = { mustExist: yesOrNo, filePermissions: mode, directoryPermissions: mode }
/** The options of stores, after the question mark of their URL. */
export const storeOptions = { ...directory, durability: oneOf('os', 'disk') }

/** Whether a store has used a directory before. Each leaves a file in those that it opens. */
export function isUsed(directory: string): boolean {
  return existsSync(join(directory, '.tuskit'))
}

/** The stores and lockers of tuskit itself. */
export const builtIn: Plugin = {
  data: {
    file: (url, { locate }) => new FileStore({ ...parseFileUrl(url, storeOptions), locate }),
    memory: () => new MemoryStore(),
  },
  info: {
    file: (url) => new FileInfoStore(parseFileUrl(url, storeOptions)),
    memory: () => new MemoryInfoStore(),
  },
  locks: {
    file(url) {
      // The locks may be next to data that must survive power cuts. They need not.
      const { durability: _, ...options } = parseFileUrl(url, { ...storeOptions, lease: duration })
      return new FileLocker(options)
    },
    memory: () => ({ useIn: (composer) => void composer.useLocker(new MemoryLocker()) }),
  },
}
