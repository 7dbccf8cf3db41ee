import { StoreComposer, type ComposerPart, type Logger } from 'tuskit'
import { LimitedStore, type SpaceCounter } from 'tuskit/limited-store'
import type { Settings } from '../settings/settings.js'
import { SettingError } from '../settings/setting-error.js'
import { locateBy } from './locate.js'
import type { MakePart, PartContext } from './plugin.js'
import { Plugins } from './plugins.js'

/** The stores and the locker that the settings name. */
export interface Parts {
  readonly composer: StoreComposer
  readonly data: ComposerPart
  readonly info: ComposerPart
  readonly plugins: Plugins
  /** Whether other processes see the locks. */
  readonly sharesLocks: boolean
}

type Kind = 'data' | 'info' | 'locks'

/** Makes the parts that the settings name. None of them is opened yet. */
export async function openParts(
  settings: Settings,
  logger: Logger,
  counter?: SpaceCounter,
): Promise<Parts> {
  const plugins = await Plugins.load(settings.plugin)
  const context: PartContext = { logger, locate: locateBy(settings, process.env) }
  const make = async (kind: Kind, url: string, setting: string) => {
    const maker = (await plugins.find(kind, url, setting)) as MakePart
    try {
      return await maker(url, context)
    } catch (error) {
      if (error instanceof SettingError) throw error
      throw new SettingError(`${setting} ${url}: ${(error as Error).message}`, { cause: error })
    }
  }
  const offered = async (kind: Kind) =>
    (await plugins.findIfOffered(kind, dataUrl, '--data')) === undefined ? undefined : dataUrl
  const { data: dataUrl, limit } = settings
  const data = await make('data', dataUrl, '--data')
  const infoUrl = settings.info ?? (await offered('info'))
  if (infoUrl === undefined) {
    throw new SettingError(`--data ${dataUrl} keeps no records. Add --info, such as file:./info.`)
  }
  const info = await make('info', infoUrl, '--info')
  const locksUrl = settings.locks ?? (await offered('locks')) ?? 'memory:'
  const locks = await make('locks', locksUrl, '--locks')

  const composer = new StoreComposer()
  if (limit === undefined) composer.use(data, info)
  else
    new LimitedStore({
      limit,
      store: data,
      infoStore: info,
      logger,
      ...(counter && { counter }),
    }).useIn(composer)
  composer.use(locks)
  return { composer, data, info, plugins, sharesLocks: !locksUrl.startsWith('memory:') }
}
