import { didYouMean } from '../settings/nearest.js'
import { SettingError } from '../settings/setting-error.js'
import { wrongValue, type ValueType } from '../settings/value-types.js'

type Types = Readonly<Record<string, ValueType<unknown>>>

type Options<T extends Types> = {
  readonly [Name in keyof T]?: T[Name] extends ValueType<infer Value> ? Value : never
} & { readonly directory: string }

/**
 * Returns the directory of a URL such as `file:./data`, `file:/srv/data` or `file:///srv/data`, and
 * the options after its question mark, such as `?durability=disk`.
 */
export function parseFileUrl<T extends Types>(url: string, types: T): Options<T> {
  const [path = '', query] = url.replace(/^file:(\/\/(?=\/))?/, '').split(/\?(.*)/s)
  if (path === '' || path.startsWith('//')) {
    throw new SettingError(`'${url}' must name a directory, as file:./data and file:/srv/data do.`)
  }
  const options: Record<string, unknown> = { directory: decoded(path, url) }
  const known = Object.keys(types)
  for (const [name, value] of new URLSearchParams(query)) {
    const type = types[name]
    if (type === undefined) {
      throw new SettingError(`'${url}' has no option ${name}.${didYouMean(name, known)}`)
    }
    options[name] = type.parse(value)
    if (options[name] === undefined) {
      throw new SettingError(wrongValue(`${name} in '${url}'`, type, value))
    }
  }
  return options as Options<T>
}

/** Returns the URL of a directory, without options. */
export function fileUrl(directory: string): string {
  return `file:${directory.replace(/[%?]/g, encodeURIComponent)}`
}

function decoded(path: string, url: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    throw new SettingError(`'${url}' must have %25 for a percent sign.`, { cause: error })
  }
}
