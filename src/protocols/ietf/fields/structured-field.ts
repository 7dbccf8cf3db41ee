import { take, takeBareItem, type BareItem, type Cursor } from './take-bare-item.js'

/** The value of a key of a Dictionary. */
export type Member = BareItem | { readonly type: 'inner-list'; readonly value: readonly BareItem[] }

/** The largest Integer that a structured field can hold, of 15 digits. */
export const maxInteger = 999_999_999_999_999

const key = /[a-z*][a-z\d_.*-]*/y
const equals = /=/y
const semicolon = /; */y
const comma = /[ \t]*,[ \t]*/y
const opening = /\( */y
const closing = /\)/y
/** Between two items of an inner list, or after the last. */
const separator = / +|(?=\))/y
const spaces = / */y
const whitespace = /[ \t]*/y

/**
 * Reads a field that is an Item of RFC 9651. Its parameters must be well-formed, and are dropped.
 *
 * `undefined` when it is anything else, such as two lines that Node has joined: the field counts as
 * absent.
 */
export function parseItem(value: string): BareItem | undefined {
  return parseWhole(value, takeItem)
}

/**
 * Reads a field that is a Dictionary of RFC 9651; the empty value is an empty one. Of a repeated
 * key, the last member counts. Parameters must be well-formed, and are dropped.
 *
 * `undefined` when it is anything else: the field counts as absent.
 */
export function parseDictionary(value: string): ReadonlyMap<string, Member> | undefined {
  return parseWhole(value, takeDictionary)
}

/**
 * Reads a field such as `Upload-Offset`: a number from 0 to 10^15 − 1, or otherwise `undefined`.
 */
export function parseIntegerItem(value: string | undefined): number | undefined {
  const item = parseItem(value ?? '')
  return item?.type === 'integer' && item.value >= 0 ? item.value : undefined
}

/** Reads a field such as `Upload-Complete`: `?1` or `?0`, or otherwise `undefined`. */
export function parseBooleanItem(value: string | undefined): boolean | undefined {
  const item = parseItem(value ?? '')
  return item?.type === 'boolean' ? item.value : undefined
}

/**
 * Writes a Dictionary of Integers and Byte Sequences. Keys must be those of RFC 9651: lower-case.
 *
 * Throws a `RangeError` for a number that is not an integer from −`maxInteger` to `maxInteger`,
 * because readers would ignore the whole field.
 */
export function formatDictionary(members: Readonly<Record<string, number | Buffer>>): string {
  return Object.entries(members)
    .map(([name, value]) => {
      return `${name}=${typeof value === 'number' ? formatInteger(value) : formatBytes(value)}`
    })
    .join(', ')
}

/** Writes a Byte Sequence: Base64 between colons. */
export function formatBytes(bytes: Buffer): string {
  return `:${bytes.toString('base64')}:`
}

function formatInteger(value: number): string {
  if (!Number.isInteger(value) || Math.abs(value) > maxInteger) {
    throw new RangeError(`A structured field cannot hold ${value}`)
  }
  return String(value)
}

/** RFC 9651 section 4.2: there is nothing but spaces around what a field holds. */
function parseWhole<T>(text: string, read: (cursor: Cursor) => T | undefined): T | undefined {
  const cursor = { text, at: 0 }
  take(cursor, spaces)
  const result = read(cursor)
  take(cursor, spaces)
  return isAtEnd(cursor) ? result : undefined
}

function takeDictionary(cursor: Cursor): ReadonlyMap<string, Member> | undefined {
  const members = new Map<string, Member>()
  if (isAtEnd(cursor)) return members
  do {
    const name = take(cursor, key)
    const member = name === undefined ? undefined : takeMember(cursor)
    if (name === undefined || member === undefined) return undefined
    members.set(name, member)
  } while (take(cursor, comma) !== undefined)
  // Section 4.2.2 discards tabs too before it looks for the end, unlike that of an Item.
  take(cursor, whitespace)
  return members
}

function takeMember(cursor: Cursor): Member | undefined {
  if (take(cursor, equals) === undefined) {
    return takeParameters(cursor) ? { type: 'boolean', value: true } : undefined
  }
  return take(cursor, opening) === undefined ? takeItem(cursor) : takeInnerList(cursor)
}

/** Reads the rest after the opening parenthesis. */
function takeInnerList(cursor: Cursor): Member | undefined {
  const items: BareItem[] = []
  while (take(cursor, closing) === undefined) {
    const item = takeItem(cursor)
    if (item === undefined || take(cursor, separator) === undefined) return undefined
    items.push(item)
  }
  return takeParameters(cursor) ? { type: 'inner-list', value: items } : undefined
}

function takeItem(cursor: Cursor): BareItem | undefined {
  const item = takeBareItem(cursor)
  return item !== undefined && takeParameters(cursor) ? item : undefined
}

/** Whether what follows, if it is parameters, is well-formed. */
function takeParameters(cursor: Cursor): boolean {
  while (take(cursor, semicolon) !== undefined) {
    if (take(cursor, key) === undefined) return false
    if (take(cursor, equals) !== undefined && takeBareItem(cursor) === undefined) return false
  }
  return true
}

function isAtEnd(cursor: Cursor): boolean {
  return cursor.at === cursor.text.length
}
