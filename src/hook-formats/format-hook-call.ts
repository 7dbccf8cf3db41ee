import { must, type OptionRule } from '../check-options.js'
import type { HookCall } from '../hook-backend.js'
import type { StorageRef } from '../upload.js'
import { rustusMessage, rustusTusdMessage } from './rustus-message.js'
import { tusdMessage } from './tusd-message.js'

/** The forms of a message about an event, each a {@link HookFormat}. */
export const hookFormats = ['tusd', 'rustus', 'rustus-v2', 'rustus-tusd'] as const

/**
 * The form of a message about an event: that of tusd 2, or one of those that Rustus calls
 * `default`, `v2` and `tusd`.
 */
export type HookFormat = (typeof hookFormats)[number]

/** Options of {@link formatHookCall}, and of the backends that use it. */
export interface HookFormatOptions {
  /**
   * The form of the message.
   * @default 'tusd'
   */
  readonly format?: HookFormat
  /**
   * Describes the place of an upload's data, for programs that want to open it. `Type` and `Path`
   * are what tusd and Rustus say about a file.
   *
   * @default `Type` is the kind of the store. The members of `at` follow, with a capital letter;
   * the path of a FileStore is relative to its directory.
   *
   * @example
   * storage: ({ at }) => ({ Type: 'filestore', Path: resolve('./uploads', at.path) })
   */
  readonly storage?: (storage: StorageRef) => Readonly<Record<string, string>>
}

/** The rules of {@link HookFormatOptions}, for `checkOptions` of `tuskit/store-kit`. */
export const hookFormatRules = {
  format: must.beOneOf(...hookFormats),
  storage: must.beFunction,
} satisfies Record<keyof HookFormatOptions, OptionRule>

/**
 * Returns the message about an event, as a value that can be sent as JSON.
 *
 * The forms of Rustus do not have the name of the event: send it next to the message. All forms
 * have the headers of the client, including its passwords and cookies.
 *
 * @param options - Only `format` and `storage` are read, and not checked. So a backend can pass its
 * own options, once it has checked them with {@link hookFormatRules}.
 *
 * @example
 * const backend: HookBackend = {
 *   events: ['post-finish'],
 *   async call(call) {
 *     await queue.send(call.event.type, JSON.stringify(formatHookCall(call, { format: 'rustus' })))
 *   },
 * }
 */
export function formatHookCall(call: HookCall, options: HookFormatOptions = {}): object {
  const { format = 'tusd', storage: describe = describeStorage } = options
  const { upload } = call
  const storage = upload && 'storage' in upload ? describe(upload.storage) : undefined
  switch (format) {
    case 'tusd':
      return tusdMessage(call, storage)
    case 'rustus':
      return rustusMessage(call, storage, 'URI')
    case 'rustus-v2':
      return rustusMessage(call, storage, 'uri')
    case 'rustus-tusd':
      return rustusTusdMessage(call, storage)
  }
}

function describeStorage({ kind, at }: StorageRef): Readonly<Record<string, string>> {
  const members = Object.entries(at).map(([name, value]) => [
    name.charAt(0).toUpperCase() + name.slice(1),
    value,
  ])
  return { ...(Object.fromEntries(members) as Record<string, string>), Type: kind }
}
