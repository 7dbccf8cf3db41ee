import { isIP } from 'node:net'
import ms from 'ms'
import { didYouMean } from './nearest.js'

/** The form of a setting's value. */
export interface ValueType<Value> {
  /** Stands for the value in the help. Empty for a flag without a value. */
  readonly placeholder: string
  /** Reads after "must be". */
  readonly expectation: string
  /** Returns the value, or `undefined` if the text has the wrong form. */
  parse(text: string): Value | undefined
  /** The words that the value, or each item of the list, may be. */
  readonly choices?: readonly string[]
  /** Whether several values may be given, in a list with commas or one after the other. */
  readonly isList?: true
}

/** Returns the type of a text, whose form whatever uses it checks. */
export function text(placeholder: string): ValueType<string> {
  const expectation = 'a text that is not empty'
  return { placeholder, expectation, parse: (given) => given.trim() || undefined }
}

/** An address of a proxy. */
export const proxy: ValueType<string> = {
  placeholder: 'address',
  expectation: 'an IP address, a range such as 10.0.0.0/8, or unix:',
  parse(given) {
    const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(given) ?? []
    const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)]!
    return given === 'unix:' || Number(bits ?? 0) <= longest ? given : undefined
  },
}

/** An origin of pages. */
export const origin: ValueType<string> = {
  placeholder: 'origin',
  expectation: 'an origin such as https://example.org, or *',
  parse: (given) => (given === '*' || urlOf(given)?.origin === given ? given : undefined),
}

export const webUrl: ValueType<string> = {
  placeholder: 'URL',
  expectation: 'a URL such as https://example.org/files/, without user name and password',
  parse(given) {
    const url = urlOf(given)
    const isUsable = /^https?:$/.test(url?.protocol ?? '') && !url?.username && !url?.password
    return isUsable ? given : undefined
  },
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

export const yesOrNo: ValueType<boolean> = {
  placeholder: '',
  expectation: 'true or false',
  parse: (given) => ({ true: true, false: false })[given],
}

export const count: ValueType<number> = {
  placeholder: 'number',
  expectation: 'a whole number, at least 1',
  parse: (given) => (/^[1-9]\d{0,8}$/.test(given) ? Number(given) : undefined),
}

export const port: ValueType<number> = {
  placeholder: 'port',
  expectation: 'a port from 0 to 65535',
  parse: (given) => (/^\d{1,5}$/.test(given) && Number(given) < 65_536 ? Number(given) : undefined),
}

export const mode: ValueType<number> = {
  placeholder: 'mode',
  expectation: 'a file mode in octal digits, such as 660',
  parse: (given) => (/^0?[0-7]{3}$/.test(given) ? Number.parseInt(given, 8) : undefined),
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  ...Object.fromEntries(['k', 'm', 'g', 't', 'p'].map((unit, i) => [unit, 1000 ** (i + 1)])),
  ...Object.fromEntries(['ki', 'mi', 'gi', 'ti', 'pi'].map((unit, i) => [unit, 1024 ** (i + 1)])),
}

export const size: ValueType<number> = {
  placeholder: 'size',
  expectation: 'a size in bytes, such as 1048576, 500MB (decimal) or 5GiB (binary)',
  parse(given) {
    const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]i?)?b?$/i.exec(given) ?? []
    const bytes = Math.round(Number(digits) * units[unit.toLowerCase()]!)
    return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
  },
}

export const duration: ValueType<number> = {
  placeholder: 'time',
  expectation: 'a time with its unit, such as 500ms, 30s, 15m, 24h or 7d, at most 24 days',
  parse(given) {
    if (!/^\d+(\.\d+)? ?(ms|s|m|h|d)$/.test(given)) return undefined
    const milliseconds = ms(given as ms.StringValue)
    return milliseconds > 0 && milliseconds <= 2_147_483_647 ? milliseconds : undefined
  },
}

/** A time that may be longer than timers can wait. */
export const age: ValueType<number> = {
  placeholder: 'time',
  expectation: 'a time with its unit, such as 12h, 7d or 1y',
  parse(given) {
    if (!/^\d+(\.\d+)? ?(ms|s|m|h|d|w|y)$/.test(given)) return undefined
    return ms(given as ms.StringValue) || undefined
  },
}

/** Returns the type of one of several words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): ValueType<Word> {
  return {
    placeholder: words.length > 2 ? 'name' : words.join('|'),
    expectation: `one of ${words.join(', ')}`,
    choices: words,
    parse: (given) => words.find((word) => word === given),
  }
}

/** Returns the type of a list with items of another type. */
export function listOf<Item>(item: ValueType<Item>): ValueType<readonly Item[]> {
  return {
    placeholder: `${item.placeholder},…`,
    expectation: `a list with commas; each item must be ${item.expectation}`,
    ...(item.choices && { choices: item.choices }),
    isList: true,
    parse(given) {
      const items = given.split(',').map((each) => item.parse(each.trim()))
      return items.includes(undefined) ? undefined : (items as Item[])
    },
  }
}

/** Returns the error for a value of the wrong form. */
export function wrongValue(where: string, type: ValueType<unknown>, given: string): string {
  const hint = type.choices === undefined ? '' : didYouMean(given, type.choices)
  return `${where} must be ${type.expectation}, not '${given}'.${hint}`
}
