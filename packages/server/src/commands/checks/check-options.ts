import type { HookBackend } from 'tuskit'
import { createHooks } from '../../create-hooks.js'
import { createUploadHandler } from '../../create-upload-handler.js'
import { openParts } from '../../parts/open-parts.js'
import { checkAgreement } from '../../settings/agreement.js'
import type { Settings } from '../../settings/settings.js'
import type { CommandCall } from '../command.js'
import { reasonOf } from '../../explain.js'
import { failed, ok, type Finding } from './finding.js'

/** Creates a handler with the settings, which refuses those that contradict each other. */
export async function* checkOptions({ settings, logger }: CommandCall): AsyncGenerator<Finding> {
  let hooks: readonly HookBackend[] = []
  // An outbox would deliver events that wait.
  const trial = { ...settings, hooksOutbox: undefined } as Settings
  try {
    checkAgreement(settings)
    const { composer, plugins } = await openParts(trial, logger)
    // Another check says which of them is wrong.
    hooks = await createHooks(trial, plugins, logger).catch(() => [])
    const handler = createUploadHandler(trial, composer, hooks, logger)
    await handler.close()
    yield ok('options', 'the settings agree with each other')
  } catch (error) {
    yield failed('options', reasonOf(error))
  }
}
