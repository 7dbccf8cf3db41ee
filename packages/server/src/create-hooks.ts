import { resolve } from 'node:path'
import type { HookBackend, Logger, StorageRef } from 'tuskit'
import { ExecHooks } from 'tuskit/exec-hooks'
import { HttpHooks } from 'tuskit/http-hooks'
import { parseFileUrl } from './parts/file-url.js'
import { storeOptions } from './parts/built-in.js'
import type { Plugins } from './parts/plugins.js'
import { SettingError } from './settings/setting-error.js'
import type { Settings } from './settings/settings.js'

/** Returns the hooks in the order in which they are asked: programs, URLs, packages. */
export async function createHooks(
  settings: Settings,
  plugins: Plugins,
  logger: Logger,
): Promise<HookBackend[]> {
  const { hooksDir: directory, hooksProgram: program, hooksProgramInput: input } = settings
  const { hooksEvents: events, hooksFormat: format, hooksTimeout: timeout } = settings
  const storage = describeFiles(settings.data)
  const common = { format, timeout, ...(events && { events }), ...(storage && { storage }) }
  const hooks: HookBackend[] = []
  const add = async (where: string, make: () => HookBackend | Promise<HookBackend>) => {
    try {
      hooks.push(await make())
    } catch (error) {
      if (error instanceof SettingError) throw error
      throw new SettingError(`${where}: ${(error as Error).message}`, { cause: error })
    }
  }
  if (directory) await add('--hooks-dir', () => new ExecHooks({ directory, input, ...common }))
  if (program) await add('--hooks-program', () => new ExecHooks({ program, input, ...common }))
  for (const url of settings.hooksHttp ?? []) {
    await add('--hooks-http', () => {
      const { hooksHttpForwardHeaders: forwardHeaders, hooksHttpSecret: secret } = settings
      return new HttpHooks({
        url,
        ...common,
        attempts: settings.hooksHttpAttempts,
        delay: settings.hooksHttpBackoff,
        ...(forwardHeaders && { forwardHeaders }),
        ...(secret && { secret }),
      })
    })
  }
  for (const url of settings.hooksUrl ?? []) {
    const make = await plugins.find('hooks', url, '--hooks-url')
    await add('--hooks-url', () => make(url, { logger, events, format, timeout }))
  }
  return hooks
}

/** Returns how messages name the files of uploads, in the words of tusd. */
function describeFiles(data: string) {
  if (!data.startsWith('file:')) return undefined
  const { directory } = parseFileUrl(data, storeOptions)
  return ({ kind, at }: StorageRef): Record<string, string> =>
    kind === 'file' && at['path'] !== undefined
      ? { Type: 'filestore', Path: resolve(directory, at['path']) }
      : { Type: kind }
}
