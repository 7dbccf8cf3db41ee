import { existsSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CommandCall } from '../commands/command.js'
import { reasonOf } from '../explain.js'
import { storeOptions } from '../parts/built-in.js'
import { fileUrl, parseFileUrl } from '../parts/file-url.js'
import type { OpenAdoptable } from '../parts/plugin.js'
import { Plugins } from '../parts/plugins.js'
import { SettingError } from '../settings/setting-error.js'
import { OldBucket } from './old-bucket.js'
import { OldFolder } from './old-folder.js'
import type { OldSource } from './old-source.js'
import type { OldServer } from './old-upload.js'
import { pathInside } from './path-inside.js'

/** Flags that concern the place of the uploads. */
export interface SourceOptions {
  /** The folder of the records, if that is another one. */
  readonly records: string | undefined
  readonly mayCut: boolean
}

/** Opens the folder or bucket in which another server keeps uploads. */
export function openSource(
  server: OldServer,
  { parameters: [place], settings, signal }: CommandCall,
  options: SourceOptions,
): Promise<OldSource> | OldSource {
  return isUrl(place!)
    ? openBucket(server, withSlash(place!), settings, options, signal)
    : openFolder(server, place!, settings, options)
}

/** Returns the setting `data` that is right for a folder or bucket if none is given. */
export function usualData(place: string): string {
  return isUrl(place) ? withSlash(place) : fileUrl(place)
}

function isUrl(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place)
}

/** Returns a URL whose path ends with a slash, unless there is none. */
function withSlash(url: string): string {
  const [, path, query] = /^([^?]*)(.*)$/s.exec(url)!
  return /:\/\/[^/]*(\/|$)$/.test(path!) || path!.endsWith('/') ? url : `${path}/${query}`
}

async function openBucket(
  { name, parseObject }: OldServer,
  url: string,
  { data, plugin }: CommandCall['settings'],
  { records, mayCut }: SourceOptions,
  signal: AbortSignal,
): Promise<OldBucket> {
  if (parseObject === undefined) {
    throw new SettingError(`Uploads of ${name} can be adopted only from folders.`)
  }
  if (records !== undefined || mayCut) {
    throw new SettingError('--records and --cut are for folders. The URL names the records.')
  }
  const [scheme] = url.split(':')
  if (!data.startsWith(`${scheme}:`)) throw new SettingError(staysThere(data, url))
  const plugins = await Plugins.load(plugin)
  const open = (await plugins.find('adoptable', url, 'The place')) as OpenAdoptable
  try {
    return await OldBucket.open(parseObject, await open(url, data), signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new SettingError(`${url}: ${reasonOf(error)}`, { cause: error })
  }
}

function openFolder(
  server: OldServer,
  path: string,
  { data }: CommandCall['settings'],
  { records = path, mayCut }: SourceOptions,
): OldFolder {
  for (const folder of [path, records]) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw new SettingError(`There is no folder ${folder}.`)
    }
  }
  return new OldFolder(server, {
    path,
    records,
    mayCut,
    root: dataFolder(data, realpathSync(path)),
  })
}

/** Returns the folder of the data store, which must contain the old one. */
function dataFolder(data: string, path: string): string {
  const url = fileUrl(path)
  if (!data.startsWith('file:')) throw new SettingError(staysThere(data, url))
  const { directory } = parseFileUrl(data, storeOptions)
  const folder = existsSync(directory) ? realpathSync(directory) : resolve(directory)
  if (pathInside(folder, path) !== undefined) return folder
  throw new SettingError(
    `The data stays where it is, and ${path} is not in the directory of --data ${data}. ${advice(url)}`,
  )
}

function staysThere(data: string, url: string): string {
  return `The data stays where it is, so it cannot be in --data ${data}. ${advice(url)}`
}

function advice(url: string): string {
  return `Use --data ${url}, and move the data later with tuskit migrate.`
}
