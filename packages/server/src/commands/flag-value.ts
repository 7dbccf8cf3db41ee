import { SettingError } from '../settings/setting-error.js'
import { wrongValue, type ValueType } from '../settings/value-types.js'
import type { CommandCall } from './command.js'

/** Returns the value of a command's own flag, or `undefined` if it was not given. */
export function flagValue<Value>(
  { flags }: Pick<CommandCall, 'flags'>,
  flag: string,
  type: ValueType<Value>,
): Value | undefined {
  const member = flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  const given = flags[member]
  if (given === undefined) return undefined
  const value = type.parse(String(given))
  if (value === undefined) throw new SettingError(wrongValue(`--${flag}`, type, String(given)))
  return value
}
