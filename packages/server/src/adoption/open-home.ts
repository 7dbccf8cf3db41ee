import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import type { InfoStore } from 'tuskit'
import { nearestThere } from '../commands/checks/trial-settings.js'
import type { CommandCall } from '../commands/command.js'
import { checkLasting, whileOpen } from '../commands/stored/open-uploads.js'
import { createUploadHandler } from '../create-upload-handler.js'
import { reasonOf } from '../explain.js'
import { isUsed, storeOptions } from '../parts/built-in.js'
import { parseFileUrl } from '../parts/file-url.js'
import { openParts } from '../parts/open-parts.js'
import { SettingError } from '../settings/setting-error.js'
import type { Settings } from '../settings/settings.js'
import type { NewHome } from './new-home.js'
import type { OldSource } from './old-source.js'
import { Owners } from './owners.js'

/** Opens the stores in which uploads are adopted, until `work` has ended. */
export async function openHome<T>(
  { settings, logger, signal }: CommandCall,
  { term }: OldSource,
  choices: Pick<NewHome, 'isTrial' | 'removesRecords'>,
  work: (home: NewHome) => Promise<T>,
): Promise<T> {
  checkLasting(settings)
  checkWritable(settings)
  const { hooksOutbox: _, ...rest } = settings
  const adopting = { ...rest, locks: 'memory:', limit: undefined } as unknown as Settings
  const { composer } = await openParts(adopting, logger)
  const handler = createUploadHandler(adopting, composer, [], logger)
  const { dataStore, infoStore, infoLister } = composer.slots()
  const isEmpty = choices.isTrial && !hasRecords(settings)
  const records = isEmpty ? noRecords : infoStore!
  return whileOpen({ handler, slots: composer.slots() }, async () => {
    const owners = new Owners(records, term)
    if (infoLister !== undefined && !isEmpty) await owners.load(infoLister, signal)
    return work({
      settings,
      dataStore: dataStore!,
      infoStore: records,
      owners,
      named: new Set(),
      signal,
      ...choices,
    })
  })
}

/** Refuses a folder in which no records can be written. A trial would not notice. */
function checkWritable({ data, info = data }: Settings): void {
  if (!info.startsWith('file:')) return
  const folder = nearestThere(resolve(parseFileUrl(info, storeOptions).directory))
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw new SettingError(`No records can be written in ${folder}: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

/** The records that a trial finds. */
const noRecords = { get: () => Promise.resolve(undefined) } as unknown as InfoStore

/** Whether there may be records. A file store that is opened leaves a file in its directory. */
function hasRecords({ data, info = data }: Settings): boolean {
  return !info.startsWith('file:') || isUsed(parseFileUrl(info, storeOptions).directory)
}
