import { migrateData, migrateInfo, type Migrated } from 'tuskit'
import { openParts } from '../../parts/open-parts.js'
import { SettingError } from '../../settings/setting-error.js'
import type { Settings } from '../../settings/settings.js'
import type { CommandCall } from '../command.js'
import type { Target } from '../migrate.js'
import { readUploads } from './open-uploads.js'

/** A copy that is ready to start. */
export interface Move {
  readonly title: string
  /** The number of uploads, or `undefined` if they cannot be counted. */
  readonly total: number | undefined
  start(options: { readonly after?: string; readonly signal: AbortSignal }): AsyncIterable<Migrated>
}

/**
 * Yields the copies to make. The data comes first: it changes the records, and a later run must
 * find those that were copied unchanged.
 */
export async function* openMoves(
  call: CommandCall,
  target: Target,
  removeGone: boolean,
  after: string | undefined,
): AsyncGenerator<Move> {
  const { data, info } = target
  // First, because it closes its stores, and stores with one URL can share their connections.
  const total = await countUploads(call, after)
  if (data !== undefined) {
    const [old, next] = [await open(call), await open(call, { data })]
    const stores = { info: old.info, from: old.data, to: next.data }
    yield {
      title: 'Data',
      total,
      start: (options) => checked(() => migrateData({ ...stores, ...options })),
    }
  }
  if (info !== undefined) {
    const [old, next] = [await open(call), await open(call, { info })]
    const stores = { from: old.info, to: next.info }
    yield {
      title: 'Records',
      total,
      start: (options) => checked(() => migrateInfo({ ...stores, removeGone, ...options })),
    }
  }
}

/** Returns the parts of the settings, some of them elsewhere. A migration takes no locks. */
function open({ settings, logger }: CommandCall, elsewhere: Partial<Target> = {}) {
  const { data, info = data } = settings
  const changed = { ...settings, info, ...elsewhere, locks: 'memory:', limit: undefined }
  return openParts(changed as Settings, logger)
}

/** A store that cannot be read or listed is a mistake of the administrator. */
function checked<T>(start: () => T): T {
  try {
    return start()
  } catch (cause) {
    throw new SettingError((cause as Error).message, { cause })
  }
}

/** Returns the number of records, or `undefined` if they cannot be counted. */
function countUploads(call: CommandCall, after: string | undefined): Promise<number | undefined> {
  return readUploads(call, async ({ slots: { infoLister } }) => {
    if (infoLister === undefined) return undefined
    let count = 0
    const options = { signal: call.signal, ...(after !== undefined && { after }) }
    for await (const _ of infoLister.ids(options)) count++
    return count
  })
}

/** Returns the flags that name the new stores. */
export async function nextSettings(
  { settings, logger }: CommandCall,
  { data, info }: Target,
): Promise<string> {
  const flags: [string, string][] = []
  if (data !== undefined) flags.push(['--data', data])
  // By default, records are next to the data, which may have left them.
  const records = info ?? settings.info ?? settings.data
  if (info !== undefined || settings.info === undefined) flags.push(['--info', records])
  const { locks, data: old } = settings
  if (data !== undefined && locks === undefined) {
    const changed = { ...settings, data, info: records, limit: undefined } as Settings
    const { sharesLocks, plugins } = await openParts(changed, logger)
    const offered = await plugins.findIfOffered('locks', old, '--data')
    if (!sharesLocks && offered !== undefined) flags.push(['--locks', old])
  }
  return flags.map((flag) => flag.join(' ')).join(' ')
}
