import { safeFileName, type UnplacedUpload } from 'tuskit'
import { didYouMean } from '../settings/nearest.js'
import { SettingError } from '../settings/setting-error.js'
import type { Settings } from '../settings/settings.js'

const times = ['year', 'month', 'day', 'hour', 'minute'] as const

/** The maximum length of a stem in bytes, with its extension. */
const longestStem = 64

/** The maximum length of a name in bytes. */
const longestName = 240

/**
 * Returns the function for the settings `dir-structure` and `file-names`. Its paths are unique,
 * because the last name contains the id of the upload.
 */
export function locateBy(
  { dirStructure, fileNames }: Pick<Settings, 'dirStructure' | 'fileNames'>,
  variables: Readonly<Record<string, string | undefined>>,
): (upload: UnplacedUpload) => string {
  const nameOf = fileNames === 'original' ? originalName : ({ id }: UnplacedUpload) => id
  if (dirStructure === undefined) return nameOf
  const folders = withVariables(dirStructure, variables).replace(/^\/+|\/+$/g, '')
  checkTemplate(folders, dirStructure)
  return (upload) => {
    const values = new Date(upload.createdAt).toISOString().split(/[-T:]/)
    const path = folders.replace(/\{(\w+)\}/g, (_, time: (typeof times)[number]) => {
      return values[times.indexOf(time)]!
    })
    return `${path}/${nameOf(upload)}`
  }
}

/** Returns the client's name of the file, with the id before its extension, or only the id. */
function originalName(upload: UnplacedUpload): string {
  const given = upload.metadata.values['filename'] ?? upload.metadata.values['name']
  const name = !given ? '' : safeFileName(given, { maxLength: longestStem })
  const [, stem = '', extension = ''] = /^(.+?)(\.[^.]{1,16})?$/s.exec(name) ?? []
  const whole = `${stem}-${upload.id}${extension}`
  return stem === '' || Buffer.byteLength(whole) > longestName ? upload.id : whole
}

function withVariables(
  template: string,
  variables: Readonly<Record<string, string | undefined>>,
): string {
  return template.replace(/\{env\[(\w+)\]\}/g, (_, name: string) => {
    const value = variables[name]
    if (value) return value
    throw new SettingError(`--dir-structure needs the variable ${name}, which is not set.`)
  })
}

function checkTemplate(folders: string, given: string): void {
  const names = folders.match(/\{[^}]*\}/g) ?? []
  const known = [...times.map((time) => `{${time}}`), '{env[NAME]}']
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new SettingError(
      `--dir-structure '${given}' contains ${unknown}.${didYouMean(unknown, known)}`,
    )
  }
  const wrong = folders
    .split('/')
    .find((name) => name === '' || name.startsWith('.') || /[\\\0]/.test(name))
  if (wrong !== undefined) {
    throw new SettingError(
      `--dir-structure '${given}' must have folder names that are not empty, and that do not begin with a dot or contain a backslash.`,
    )
  }
}
