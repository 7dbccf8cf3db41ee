import type { ValueType } from './value-types.js'

/** A setting: a flag, a variable and a key of the configuration file, all with one name. */
export interface Setting<Value = unknown> {
  readonly type: ValueType<Value>
  /** One sentence or two, for the help and the documentation. */
  readonly description: string
  /** As it would be typed. Absent: the description says what happens. */
  readonly default?: string
  /** Whether a variable and key with `_FILE` may name a file that contains the value. */
  readonly isSecret?: true
}

/** Settings by the name of their flag. */
export type SettingTable = Readonly<Record<string, Setting>>
