import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { isUsed, storeOptions } from '../../parts/built-in.js'
import { fileUrl, parseFileUrl } from '../../parts/file-url.js'
import type { Settings } from '../../settings/settings.js'
import { duration } from '../../settings/value-types.js'

/** Settings to try. */
export interface TrialSettings {
  readonly settings: Settings
  /** The directories that do not exist yet. */
  readonly missing: readonly string[]
  /** Removes the directories that only the trial needs. */
  remove(): Promise<void>
}

/**
 * Returns settings in which directories that no server uses yet are replaced by others on the same
 * disk, because a store leaves files in each directory that it opens.
 */
export function trialSettings(settings: Settings): TrialSettings {
  const trials = new Map<string, string>()
  const changed = Object.fromEntries(
    (['data', 'info', 'locks'] as const).flatMap((name) => {
      const url = settings[name]
      return url === undefined ? [] : [[name, trialUrl(url, trials)]]
    }),
  )
  return {
    settings: { ...settings, ...changed, limit: undefined },
    missing: [...trials.keys()].filter((directory) => !existsSync(directory)),
    async remove() {
      for (const path of trials.values()) await rm(path, { recursive: true, force: true })
    },
  }
}

function trialUrl(url: string, trials: Map<string, string>): string {
  if (!url.startsWith('file:')) return url
  const options = parseFileUrl(url, { ...storeOptions, lease: duration })
  const directory = resolve(options.directory)
  if (options.mustExist || isUsed(directory)) return url
  const path = trials.get(directory) ?? join(nearestThere(directory), `.check-${randomUUID()}`)
  trials.set(directory, path)
  const [, query] = url.split(/\?(.*)/s)
  return `${fileUrl(path)}${query === undefined ? '' : `?${query}`}`
}

/** Returns the path, or the nearest folder above it that exists. */
export function nearestThere(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestThere(dirname(path))
}
