import type { StoreSlots } from 'tuskit'
import { openParts } from '../../parts/open-parts.js'
import type { CommandCall } from '../command.js'
import { reasonOf } from '../../explain.js'
import { hidePasswords } from '../../hide-passwords.js'
import { failed, failedBy, ok, warning, type Finding } from './finding.js'
import { StoreTrial } from './store-trial.js'
import { trialSettings } from './trial-settings.js'

/** Opens the stores, and writes, reads and removes a small upload. */
export async function* checkStores({
  settings,
  logger,
  signal,
}: CommandCall): AsyncGenerator<Finding> {
  const { remove, missing, settings: trial } = trialSettings(settings)
  try {
    const { composer, sharesLocks } = await openParts(trial, logger)
    const { data } = settings
    const [info, locks] = [
      settings.info ?? data,
      settings.locks ?? (sharesLocks ? data : 'memory:'),
    ]
    yield* tryStores(composer.slots(), { data, info, locks }, signal)
    for (const directory of missing) yield ok('directory', `${directory} will be created`)
    if (!sharesLocks && settings.workers > 1) {
      yield warning(
        'locks',
        'they are in memory, and there are several workers',
        'Make sure that no other server uses the uploads.',
      )
    }
  } catch (error) {
    yield failed('stores', reasonOf(error))
  } finally {
    await remove()
  }
}

async function* tryStores(
  slots: Readonly<StoreSlots>,
  places: { readonly data: string; readonly info: string; readonly locks: string },
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const trial = new StoreTrial(slots, signal)
  const [data, info, locks] = [places.data, places.info, places.locks].map(hidePasswords)
  try {
    const all = [...new Set([data, info, locks])].join(', ')
    const steps = [
      ['stores', all, () => trial.open(), ''],
      ['locks', locks, () => trial.lock(), `acquired a lock in ${locks}`],
      ['info', info, () => trial.record(), `wrote a record to ${info} and read it back`],
      ['data', data, () => trial.store(), `wrote an upload to ${data} and read it back`],
    ] as const
    for (const [check, place, step, text] of steps) {
      try {
        const note = await step()
        if (note !== undefined) yield warning(check, note)
        else if (text !== '') yield ok(check, text)
      } catch (error) {
        yield failedBy(check, error, `${place}: `)
        return
      }
    }
  } finally {
    for (const { what, error } of await trial.remove()) {
      yield failedBy('clean-up', error, `${what} is left behind: `)
    }
    await trial.close()
  }
  yield ok('clean-up', 'removed the upload and its record, and released the lock')
}
