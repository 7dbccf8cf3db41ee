import { inspect } from 'node:util'
import { optionError } from '../../check-options.js'
import { TusError } from '../../errors.js'
import type { UnplacedUpload } from '../../upload.js'

/** Chooses the path of an upload's data, relative to the directory. */
export type LocatePath = (upload: UnplacedUpload) => string

/**
 * The longest name that leaves space for the suffixes of side files (255 bytes in most file
 * systems).
 */
const longestName = 240

/** Returns the function for a `locate` option. Throws a `TypeError` for an invalid template. */
export function pathLocator(locate: string | LocatePath = '{id}'): LocatePath {
  if (typeof locate === 'function') return locate
  if (locate === '{id}') return ({ id }) => id
  const unknown = locate
    .match(/\{[^}]*\}/g)
    ?.find((name) => !/^\{(id|year|month|day|hour|minute)\}$/.test(name))
  if (unknown !== undefined || !locate.includes('{id}')) {
    const expectation =
      'a function, or a template that contains "{id}" and otherwise only {year}, {month}, {day}, {hour}, {minute}'
    throw optionError('FileStore', 'locate', { expectation }, locate)
  }
  return ({ id, createdAt }) => {
    const [year, month, day, hour, minute] = new Date(createdAt).toISOString().split(/[-T:]/)
    const values: Record<string, string | undefined> = { id, year, month, day, hour, minute }
    return locate.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '')
  }
}

/** Returns the path of a place that a hook requests. No other term has a meaning. */
export function pathOfPlace(place: NonNullable<UnplacedUpload['place']>): string {
  const { path, ...others } = place
  if (Object.keys(others).length === 0) return checkPlace(path)
  throw new TusError('ERR_INVALID_PLACE', { cause: new Error(`the place is ${inspect(place)}`) })
}

/**
 * Returns `path` if it is inside the directory, and otherwise throws `ERR_INVALID_PLACE`. No part
 * can begin with a dot: this excludes `..` and reserves such names for the side files and records
 * next to the data.
 */
export function checkPlace(path: unknown): string {
  if (typeof path === 'string' && !path.includes('\0') && !path.includes('\\')) {
    const names = path.split('/')
    if (names.every((name) => name !== '' && !name.startsWith('.') && fits(name))) return path
  }
  throw new TusError('ERR_INVALID_PLACE', { cause: new Error(`the path is ${inspect(path)}`) })
}

function fits(name: string): boolean {
  return Buffer.byteLength(name) <= longestName
}
