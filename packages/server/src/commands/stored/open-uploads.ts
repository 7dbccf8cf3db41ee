import { existsSync } from 'node:fs'
import type { Handler, StoreSlots } from 'tuskit'
import { createHooks } from '../../create-hooks.js'
import { createUploadHandler } from '../../create-upload-handler.js'
import { storeOptions } from '../../parts/built-in.js'
import { parseFileUrl } from '../../parts/file-url.js'
import { openParts } from '../../parts/open-parts.js'
import { SettingError } from '../../settings/setting-error.js'
import type { Settings } from '../../settings/settings.js'
import type { CommandCall } from '../command.js'
import { remark } from '../terminal/output.js'
import { explained } from '../../explain.js'

/** The stores of a command that works on uploads that exist. */
export interface OpenUploads {
  readonly handler: Handler
  readonly slots: Readonly<StoreSlots>
}

/** Longer than hooks take. Everything that a command waits for has a limit of its own. */
const closeTimeout = 600_000

/** Opens the stores for a command that only reads. Closes them when `work` has ended. */
export async function readUploads<T>(
  { settings, logger }: CommandCall,
  work: (open: OpenUploads) => Promise<T>,
): Promise<T> {
  const { hooksOutbox: _outbox, expireAfter: _after, expireFinishedAfter: _, ...rest } = settings
  const reading = { ...rest, limit: undefined } as unknown as Settings
  checkStored(reading)
  const { composer } = await openParts(reading, logger)
  const handler = createUploadHandler(reading, composer, [], logger)
  return whileOpen({ handler, slots: composer.slots() }, work)
}

/** Opens the stores for a command that changes uploads, with the hooks of the settings. */
export async function changeUploads<T>(
  { settings, logger }: CommandCall,
  work: (open: OpenUploads) => Promise<T>,
  watch: (slots: Readonly<StoreSlots>) => StoreSlots = (slots) => slots,
): Promise<T> {
  // The server counts the space that is used. Only the handler that removes needs no limit.
  const changing: Settings = { ...settings, limit: undefined }
  checkStored(changing)
  const { composer, plugins, sharesLocks } = await openParts(changing, logger)
  if (!sharesLocks) {
    throw new SettingError(
      'The locks are in the memory of the server (--locks memory:), so this command cannot see them. Use locks that processes share, such as --locks file:./locks, for the server too.',
    )
  }
  if (settings.limit !== undefined) {
    remark('A running server counts the space of removed uploads (--limit) until it restarts.')
  }
  const { expiryIndex, infoLister } = watch(composer.slots())
  if (expiryIndex !== undefined) composer.useExpiryIndex(expiryIndex)
  if (infoLister !== undefined) composer.useInfoLister(infoLister)
  const hooks = await createHooks(changing, plugins, logger)
  const handler = createUploadHandler(changing, composer, hooks, logger)
  return whileOpen({ handler, slots: composer.slots() }, work)
}

/** Opens the stores of a handler, and closes them when `work` has ended. */
export async function whileOpen<T>(
  open: OpenUploads,
  work: (open: OpenUploads) => Promise<T>,
): Promise<T> {
  try {
    await open.handler.open().catch((cause: unknown) => {
      throw new SettingError(`The stores cannot be opened: ${explained(cause)}`, { cause })
    })
    return await work(open)
  } finally {
    await open.handler.close({ timeout: closeTimeout })
  }
}

type Stored = Pick<Settings, 'data' | 'info'>

/** Refuses stores that end with their process. */
export function checkLasting(settings: Stored): void {
  for (const name of ['data', 'info'] as const) {
    const url = settings[name]
    if (!url?.startsWith('memory:')) continue
    throw new SettingError(`--${name} ${url} is in the memory of the server only.`)
  }
}

/** Refuses stores that cannot have uploads, which would otherwise look like empty ones. */
export function checkStored(settings: Stored): void {
  checkLasting(settings)
  for (const name of ['data', 'info'] as const) {
    const url = settings[name]
    if (!url?.startsWith('file:')) continue
    const { directory } = parseFileUrl(url, storeOptions)
    if (existsSync(directory)) continue
    throw new SettingError(`There is no directory ${directory}. Correct --${name}.`)
  }
}
