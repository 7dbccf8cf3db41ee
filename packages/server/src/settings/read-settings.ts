import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { didYouMean } from './nearest.js'
import { SettingError } from './setting-error.js'
import {
  memberOf,
  settingNames,
  settingOf,
  variableOf,
  type SettingName,
  type Settings,
} from './settings.js'
import { wrongValue } from './value-types.js'

/** Where the values come from. */
export interface Sources {
  /** By the name of the flag, without dashes. */
  readonly flags: Readonly<Record<string, string>>
  readonly variables: Readonly<Record<string, string | undefined>>
  /** The path of a configuration file, if there is one. */
  readonly config: string | undefined
  /** Defaults in the place of those of the settings, by the name of the flag. */
  readonly defaults?: Readonly<Partial<Record<SettingName, string>>> | undefined
}

/** A value as it was given. */
interface Given {
  readonly text: string
  /** Names the flag, the variable or the key. */
  readonly where: string
}

/**
 * Returns the values of all settings. A flag counts more than a variable, and a variable more than
 * the configuration file. Throws a {@link SettingError} for an unknown name or a wrong value.
 */
export function readSettings({ flags, variables, config, defaults }: Sources): Settings {
  const fromFlags = givenByFlags(flags)
  const fromVariables = givenByVariables(variables)
  const fromFile = config === undefined ? new Map<string, Given>() : givenByFile(config)
  const values: Record<string, unknown> = {}
  for (const name of settingNames) {
    const { type, default: general } = settingOf(name)
    const usual = defaults?.[name] ?? general
    const given =
      fromFlags.get(name) ||
      fromVariables.get(name) ||
      fromFile.get(name) ||
      (usual !== undefined && { text: usual, where: `--${name}` })
    if (!given) continue
    const value = type.parse(given.text)
    if (value === undefined) throw new SettingError(wrongValue(given.where, type, given.text))
    values[memberOf(name)] = value
  }
  return Object.freeze(values) as Settings
}

function givenByFlags(flags: Sources['flags']): Map<string, Given> {
  const given = new Map<string, Given>()
  const known = new Map(settingNames.flatMap((name) => variants(name, name)))
  for (const [flag, value] of Object.entries(flags)) {
    const isFile = flag.endsWith('-file')
    note(given, known.get(flag)!, `--${flag}`, value, isFile)
  }
  return given
}

/** The variables of the program that are not settings. */
const otherVariables = ['TUSKIT_CONFIG']

function givenByVariables(variables: Sources['variables']): Map<string, Given> {
  const given = new Map<string, Given>()
  const known = new Map(settingNames.flatMap((name) => variants(variableOf(name), name)))
  for (const [variable, text] of Object.entries(variables)) {
    if (!variable.startsWith('TUSKIT_') || otherVariables.includes(variable)) continue
    const name = known.get(variable)
    if (name === undefined) {
      const hint = didYouMean(variable, [...known.keys(), ...otherVariables])
      throw new SettingError(`There is no variable ${variable}.${hint}`)
    }
    note(given, name, variable, text ?? '', variable.endsWith('_FILE'))
  }
  return given
}

function givenByFile(path: string): Map<string, Given> {
  const given = new Map<string, Given>()
  const known = new Map(settingNames.flatMap((name) => variants(name, name)))
  for (const [key, value] of Object.entries(readConfig(path))) {
    const name = known.get(key)
    const where = `'${key}' in ${path}`
    if (name === undefined) {
      throw new SettingError(`There is no setting ${where}.${didYouMean(key, [...known.keys()])}`)
    }
    note(given, name, where, textOf(value, where), key.endsWith('-file'))
  }
  return given
}

/** Returns the names under which a setting can be given: a secret also by the name of a file. */
function variants(own: string, name: SettingName): [string, string][] {
  const suffix = own.startsWith('TUSKIT_') ? '_FILE' : '-file'
  const names: [string, string][] = [[own, name]]
  return settingOf(name).isSecret ? [...names, [own + suffix, name]] : names
}

function note(
  given: Map<string, Given>,
  name: string,
  where: string,
  value: string,
  isFile: boolean,
): void {
  const other = given.get(name)
  if (other !== undefined) throw new SettingError(`Give either ${other.where} or ${where}.`)
  given.set(name, { where, text: isFile ? contentOf(value, where).trim() : value })
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  const content = contentOf(path, '--config')
  let config: unknown
  try {
    config = parse(content)
  } catch (error) {
    // The lines after the first show the text, which may be a secret.
    const [reason] = (error as Error).message.split(':\n')
    throw new SettingError(`${path} is not YAML: ${reason}`, { cause: error })
  }
  if (config === null) return {}
  if (typeof config !== 'object' || Array.isArray(config)) {
    throw new SettingError(`${path} must have lines such as 'port: 8080'.`)
  }
  return config as Record<string, unknown>
}

function contentOf(path: string, where: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as Error).message
    throw new SettingError(`The file of ${where} cannot be read: ${reason}`, { cause: error })
  }
}

function textOf(value: unknown, where: string): string {
  if (Array.isArray(value)) return value.map((item) => textOf(item, where)).join(',')
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value)
  throw new SettingError(`${where} must be a text, a number, true, false or a list.`)
}
