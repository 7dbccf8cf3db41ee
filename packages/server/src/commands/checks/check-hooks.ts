import type { HookBackend } from 'tuskit'
import { openParts } from '../../parts/open-parts.js'
import { Plugins } from '../../parts/plugins.js'
import type { CommandCall } from '../command.js'
import { createHooks } from '../../create-hooks.js'
import type { Settings } from '../../settings/settings.js'
import { reasonOf } from '../../explain.js'
import { failed, failedBy, ok, type Finding } from './finding.js'
import { testCall, textOfReply } from './test-call.js'

/** Sends a test event of each type to each backend of hooks. */
export async function* checkHooks(call: CommandCall): AsyncGenerator<Finding> {
  const all = backendsOf(call.settings)
  if (all.length === 0) yield ok('hooks', 'none are configured')
  for (const { name, settings } of all) {
    if (call.signal.aborted) return
    yield* checkBackend(name, settings, call)
  }
}

async function* checkBackend(
  name: string,
  settings: Settings,
  { logger, signal }: CommandCall,
): AsyncGenerator<Finding> {
  const label = `hook ${name}`
  const { storage, plugins } = await partsOf(settings, logger)
  let backend: HookBackend
  try {
    const [made] = await createHooks(settings, plugins, logger)
    backend = made!
  } catch (error) {
    yield failed(label, reasonOf(error))
    return
  }
  try {
    await backend.open?.()
  } catch (error) {
    yield failedBy(label, error)
    return
  }
  try {
    for (const type of backend.events) {
      if (signal.aborted) return
      const started = performance.now()
      try {
        const reply = await backend.call(testCall(type, settings, storage), { signal })
        const time = `in ${Math.round(performance.now() - started)} ms`
        yield ok(`${label} ${type}`, `${textOfReply(reply ?? {})} ${time}`)
      } catch (error) {
        yield failedBy(`${label} ${type}`, error)
      }
    }
  } finally {
    await backend.close?.().catch(() => {})
  }
}

/** Returns settings with one backend each. */
function backendsOf(settings: Settings): readonly { name: string; settings: Settings }[] {
  const { hooksDir, hooksProgram, hooksHttp = [], hooksUrl = [] } = settings
  const none = {
    ...settings,
    ...{ hooksDir: undefined, hooksProgram: undefined, hooksHttp: undefined, hooksUrl: undefined },
  }
  return [
    ...(hooksDir ? [{ name: hooksDir, settings: { ...none, hooksDir } }] : []),
    ...(hooksProgram ? [{ name: hooksProgram, settings: { ...none, hooksProgram } }] : []),
    ...hooksHttp.map((url) => ({
      name: withoutPassword(url),
      settings: { ...none, hooksHttp: [url] },
    })),
    ...hooksUrl.map((url) => ({
      name: withoutPassword(url),
      settings: { ...none, hooksUrl: [url] },
    })),
  ]
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//…@').replace(/\?.*/s, '')
}

/** Returns where a test upload would be, so that hooks see a place of the right kind. */
async function partsOf(settings: Settings, logger: CommandCall['logger']) {
  try {
    const { composer, plugins } = await openParts({ ...settings, limit: undefined }, logger)
    return { plugins, storage: composer.slots().dataStore }
  } catch {
    // Another check says why.
    return { plugins: await Plugins.load(settings.plugin), storage: undefined }
  }
}
