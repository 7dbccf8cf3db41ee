import { hooks } from './hooks.js'
import { listening } from './listening.js'
import { operation } from './operation.js'
import type { Setting } from './setting.js'
import { storage } from './storage.js'
import { uploads } from './uploads.js'
import type { ValueType } from './value-types.js'

/** All settings. Commands take those of some groups. */
export const settingGroups = { storage, uploads, listening, hooks, operation } as const

const settings = { ...storage, ...uploads, ...listening, ...hooks, ...operation } as const

/** A group of settings. */
export type Group = keyof typeof settingGroups

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name

type Table = typeof settings

/** The values of all settings. Those without a value and without a default are absent. */
export type Settings = {
  readonly [Name in keyof Table as Camel<Name>]: Table[Name]['type'] extends ValueType<infer Value>
    ? Table[Name] extends { readonly default: string }
      ? Value
      : Value | undefined
    : never
}

/** The name of a setting. */
export type SettingName = keyof Table

export const settingNames = Object.keys(settings) as SettingName[]

/** The heading of each group, in the help and the documentation. */
export const headings: Readonly<Record<Group, string>> = {
  storage: 'Storage',
  uploads: 'Uploads',
  listening: 'Listening',
  hooks: 'Hooks',
  operation: 'Operation',
}

/** Returns the names of the settings of a group. */
export function namesIn(group: Group): readonly SettingName[] {
  return Object.keys(settingGroups[group]) as SettingName[]
}

/** Returns the description of a setting, with the words that it may be. */
export function descriptionOf(name: SettingName): string {
  const { type, description } = settingOf(name)
  if (type.choices === undefined || type.placeholder.includes('|')) return description
  return `${description} ${type.isList ? 'Any of' : 'One of'} ${type.choices.join(', ')}.`
}

/** Returns the setting with a name. */
export function settingOf(name: SettingName): Setting {
  return settings[name]
}

/** Returns the variable of a setting. */
export function variableOf(name: string): string {
  return `TUSKIT_${name.toUpperCase().replaceAll('-', '_')}`
}

/** Returns the member of {@link Settings} for a setting. */
export function memberOf(name: string): keyof Settings {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings
}
