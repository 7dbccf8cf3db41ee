import type { Logger } from 'tuskit'
import type { Group, SettingName, Settings } from '../settings/settings.js'

/** A command of the program. */
export interface CommandDefinition {
  readonly name: string
  readonly description: string
  /** Its arguments, in the notation of commander, such as `<id...>`. */
  readonly parameters?: string
  /** Its own flags, in the notation of commander. All others are settings. */
  readonly flags?: readonly (readonly [flag: string, description: string])[]
  /** The settings that may be given as flags. Those of other groups are still read and checked. */
  readonly groups: readonly Group[]
  /** Defaults of settings that follow from the arguments, by the name of the flag. */
  defaults?(parameters: readonly string[]): Readonly<Partial<Record<SettingName, string>>>
  /** Throws a `SettingError` for a mistake of the administrator. */
  run(call: CommandCall): Promise<void>
}

/** A call of a command. */
export interface CommandCall {
  readonly settings: Settings
  readonly logger: Logger
  /** The values of the command's own flags, by their name in camelCase. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly parameters: readonly string[]
  /** Aborts when the program is asked to stop. */
  readonly signal: AbortSignal
}
