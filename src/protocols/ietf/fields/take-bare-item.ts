/**
 * A value of RFC 9651 without its parameters. Whether it is of the right type is one comparison.
 */
export type BareItem =
  | { readonly type: 'integer'; readonly value: number }
  | { readonly type: 'decimal'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Buffer }
  | { readonly type: 'boolean'; readonly value: boolean }
  /** In seconds since 1970, which can be beyond what a `Date` holds. */
  | { readonly type: 'date'; readonly value: number }
  | { readonly type: 'display-string'; readonly value: string }

/** A text, and how far it has been read. */
export interface Cursor {
  readonly text: string
  at: number
}

/**
 * Returns the match of a sticky pattern at the cursor and moves the cursor behind it, or
 * `undefined`.
 */
export function take(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.text)?.[0]
  if (found !== undefined) cursor.at = pattern.lastIndex
  return found
}

/**
 * The syntax of each type (RFC 9651 sections 4.2.4 to 4.2.10), and its meaning. A number with too
 * many digits is invalid, so no number is followed by a digit. Patterns are unambiguous and take
 * linear time.
 */
const types: readonly (readonly [RegExp, (text: string) => BareItem | undefined])[] = [
  [/-?\d{1,15}(?![\d.])/y, (text) => ({ type: 'integer', value: toNumber(text) })],
  [/-?\d{1,12}\.\d{1,3}(?!\d)/y, (text) => ({ type: 'decimal', value: toNumber(text) })],
  [
    /"(?:[ !#-[\]-~]|\\["\\])*"/y,
    (text) => ({ type: 'string', value: text.slice(1, -1).replace(/\\(.)/g, '$1') }),
  ],
  [/[A-Za-z*][\w!#$%&'*+.^`|~:/-]*/y, (text) => ({ type: 'token', value: text })],
  [
    // Padding may be missing, and its bits are not looked at: section 4.2.7 asks parsers not to
    // fail for either.
    /:(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}(?:==)?|[A-Za-z\d+/]{3}=?)?:/y,
    (text) => ({ type: 'bytes', value: Buffer.from(text.slice(1, -1), 'base64') }),
  ],
  [/\?[01]/y, (text) => ({ type: 'boolean', value: text === '?1' })],
  [/@-?\d{1,15}(?![\d.])/y, (text) => ({ type: 'date', value: toNumber(text.slice(1)) })],
  [
    /%"(?:[ !#$&-~]|%[\da-f]{2})*"/y,
    (text) => {
      const value = decodeUtf8(text.slice(2, -1))
      return value === undefined ? undefined : { type: 'display-string', value }
    },
  ],
]

/** Reads the bare item at the cursor (RFC 9651 section 4.2.3.1), or returns `undefined`. */
export function takeBareItem(cursor: Cursor): BareItem | undefined {
  for (const [pattern, read] of types) {
    const text = take(cursor, pattern)
    if (text !== undefined) return read(text)
  }
  return undefined
}

function toNumber(text: string): number {
  // `-0` is 0, and not JavaScript's other zero.
  return Number(text) + 0
}

function decodeUtf8(percentEncoded: string): string | undefined {
  try {
    return decodeURIComponent(percentEncoded)
  } catch {
    return undefined
  }
}
