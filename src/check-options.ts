import { inspect } from 'node:util'

/** A rule for one option: a text for people and a predicate for the value. */
export interface OptionRule {
  /** Reads after "must be", for example `a positive integer`. */
  readonly expectation: string
  readonly accepts: (value: unknown) => boolean
  readonly required?: boolean
  /**
   * The strings that the value, or each item of its list, may be. Misspelt ones get a suggestion.
   */
  readonly choices?: readonly string[]
  /** Whether the value is a list. For a string, the error suggests a list with it. */
  readonly isList?: boolean
}

/** The owner of checked options, as error messages name it. A string is just the `name`. */
export interface OptionOwner {
  /** The function or class that takes the options. */
  readonly name: string
  /** The option that holds these options, such as `cors`. Absent: the owner takes them directly. */
  readonly within?: string
  /** The word for one of them. Default: `option`. */
  readonly noun?: string
  /** Names that people know from elsewhere, each with the options that serve the same purpose. */
  readonly otherNames?: Readonly<Record<string, readonly string[]>>
}

/**
 * Rules that several options share, for {@link checkOptions}. `{ ...must.beText, required: true }`
 * makes an option required.
 */
export const must = {
  beText: { expectation: 'a non-empty string', accepts: (v) => typeof v === 'string' && v !== '' },
  beBoolean: { expectation: 'a boolean', accepts: (v) => typeof v === 'boolean' },
  beFunction: { expectation: 'a function', accepts: (v) => typeof v === 'function' },
  beObject: { expectation: 'an object', accepts: (v) => typeof v === 'object' && v !== null },
  beTexts: {
    expectation: 'a plain object whose values are strings',
    accepts: (v) => isPlain(v) && Object.values(v).every((x) => typeof x === 'string'),
  },
  beMilliseconds: {
    expectation: 'a number of milliseconds, more than 0 and at most 2147483647',
    accepts: (v) => typeof v === 'number' && v > 0 && v <= 2_147_483_647,
  },
  /** For waits that may end at once. */
  beTimeout: {
    expectation: 'a number of milliseconds, at least 0 and at most 2147483647',
    accepts: (v) => typeof v === 'number' && v >= 0 && v <= 2_147_483_647,
  },
  beSignal: { expectation: 'an AbortSignal', accepts: (v) => v instanceof AbortSignal },
  beBytes: {
    expectation: 'a whole number of bytes, more than 0',
    accepts: (v) => Number.isSafeInteger(v) && (v as number) > 0,
  },
  beBytesOrInfinity: {
    expectation: 'a whole number of bytes, more than 0, or Infinity',
    accepts: (v) => v === Infinity || (Number.isSafeInteger(v) && (v as number) > 0),
  },
  beSize: {
    expectation: 'a whole number of bytes, at least 0',
    accepts: (v) => Number.isSafeInteger(v) && (v as number) >= 0,
  },
  beCount: {
    expectation: 'a whole number, more than 0',
    accepts: (v) => Number.isSafeInteger(v) && (v as number) > 0,
  },
  beLimit: {
    expectation: 'a whole number of bytes, or Infinity',
    accepts: (v) => v === Infinity || (Number.isSafeInteger(v) && (v as number) >= 0),
  },
  beOneOf: (...choices: readonly string[]) => ({
    expectation: `one of ${quoted(choices)}`,
    accepts: (v: unknown) => choices.includes(v as string),
    choices,
  }),
  beListOf: (...choices: readonly string[]) => ({
    expectation: `an array of any of ${quoted(choices)}`,
    accepts: (v: unknown) => Array.isArray(v) && v.every((item: string) => choices.includes(item)),
    choices,
    isList: true,
  }),
} satisfies Record<string, OptionRule | ((...values: never[]) => OptionRule)>

/**
 * Checks an options object against its rules and returns a frozen copy. Throws a `TypeError` that
 * names the owner, the option, the expectation and the value. For an unknown option it names the
 * known one that is meant, or all of them if they are few.
 *
 * Options may be a plain object, or an instance of a class that has at least one of them.
 *
 * @example
 * this.#options = checkOptions<RedisStoreOptions>('RedisStore', options, {
 *   client: { ...must.beObject, required: true },
 *   timeout: must.beMilliseconds,
 * })
 */
export function checkOptions<T extends object>(
  owner: string | OptionOwner,
  options: T,
  rules: { readonly [Name in keyof Required<T>]: OptionRule },
): Readonly<T> {
  const known = Object.keys(rules)
  if (!mayHold(options, known)) throw notOptions(ownerOf(owner), options, known)
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw unknownOption(ownerOf(owner), name, known)
  }
  const checked: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries<OptionRule>(rules)) {
    // Read once: a getter may return something else next time. Inherited members count too.
    const value = (options as Record<string, unknown>)[name]
    if (value !== undefined) checked[name] = value
    if (value === undefined ? rule.required : !rule.accepts(value)) {
      throw optionError(owner, name, rule, value)
    }
  }
  return Object.freeze(checked) as Readonly<T>
}

/** Returns the error for an option with a wrong value. */
export function optionError(
  owner: string | OptionOwner,
  option: string,
  { expectation, choices = [], isList }: Omit<OptionRule, 'accepts'>,
  value: unknown,
): TypeError {
  const { name, within, noun = 'option' } = ownerOf(owner)
  const wrong = `'${pathOf(within, option)}' must be ${expectation}, not ${shown(value)}`
  const meant = meantChoice(value, choices)
  const asMeant = isList && typeof value === 'string' ? `['${meant}']` : `'${meant}'`
  const hint = meant === undefined ? '' : suggestion(asMeant)
  return new TypeError(`${name}: ${noun} ${wrong}${hint}`)
}

function notOptions(
  { name, within, noun = 'option' }: OptionOwner,
  value: unknown,
  known: readonly string[],
): TypeError {
  let subject = noun === 'option' ? `${name}: the options` : name
  if (within !== undefined) subject = `${name}: ${noun} '${within}'`
  // An instance of a class may hold options, but this one holds none.
  const isInstance = typeof value === 'object' && value !== null
  const members = known.length <= 8 ? `any of ${quoted(known)}` : `known ${noun}s`
  const expectation = isInstance ? `an object with ${members}` : 'a plain object'
  return new TypeError(`${subject} must be ${expectation}, not ${shown(value)}`)
}

function unknownOption(owner: OptionOwner, option: string, known: readonly string[]): TypeError {
  const { name, within, noun = 'option', otherNames = {} } = owner
  const other = Object.keys(otherNames).find((candidate) => plain(candidate) === plain(option))
  const near = nearest(option, known) ?? completed(option, known)
  const all = known.map((candidate) => pathOf(within, candidate))
  let hint = ''
  if (other !== undefined) hint = suggestion(...otherNames[other]!.map((name) => `'${name}'`))
  else if (near !== undefined) hint = suggestion(`'${pathOf(within, near)}'`)
  else if (known.length <= 8) hint = `, only ${quoted(all)}`
  return new TypeError(`${name}: there is no ${noun} ${shown(pathOf(within, option))}${hint}`)
}

function ownerOf(owner: string | OptionOwner): OptionOwner {
  return typeof owner === 'string' ? { name: owner } : owner
}

function pathOf(within: string | undefined, option: string): string {
  return within === undefined ? option : `${within}.${option}`
}

/** Returns the value as short text on one line. */
function shown(value: unknown): string {
  const limits = { depth: 0, maxArrayLength: 20, maxStringLength: 200 }
  return inspect(value, { ...limits, breakLength: Infinity })
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}

function suggestion(...alternatives: readonly string[]): string {
  return `; did you mean ${alternatives.join(' or ')}?`
}

/**
 * Returns the choice that the value, or the first wrong item of the list, comes close to. A value
 * that should be in a list may equal it.
 */
function meantChoice(value: unknown, choices: readonly string[]): string | undefined {
  const wrong: unknown = Array.isArray(value)
    ? value.find((item: string) => !choices.includes(item))
    : value
  if (typeof wrong !== 'string') return undefined
  // Words with one stem, such as "expire" and "expiration".
  const stem = wrong.toLowerCase().slice(0, Math.max(4, Math.ceil(wrong.length * 0.75)))
  return nearest(wrong, choices) ?? choices.find((choice) => choice.startsWith(stem))
}

/**
 * Returns whether a value may be an options object. An `Error`, a web `Response` or a `Map` has no
 * options, and must not pass for an object that omits all of them.
 */
function mayHold(options: unknown, known: readonly string[]): boolean {
  if (typeof options !== 'object' || options === null) return false
  return isPlain(options) || known.some((name) => name in options)
}

/**
 * Returns whether a value is a plain object. A `Map` or web `Headers` is not: its content is not in
 * its properties.
 */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Returns the known name that a wrong one comes close to, if there is one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const wrong = plain(name)
  const ranked = known.map((other) => ({ other, distance: editDistance(wrong, plain(other)) }))
  const [first] = ranked.sort((a, b) => a.distance - b.distance)
  return first !== undefined && first.distance <= wrong.length / 3 ? first.other : undefined
}

/**
 * Returns the known name that a shortened one begins, unless there are several: `dir` means
 * `directory`, which `directoryPermissions` begins with too.
 */
function completed(name: string, known: readonly string[]): string | undefined {
  const beginning = plain(name)
  if (beginning.length < 3) return undefined
  const longer = known.filter((other) => plain(other).startsWith(beginning))
  return longer.find((one) => longer.every((other) => other.startsWith(one)))
}

/**
 * Returns a name without case, dashes and underscores: `pre-create` and `PRE_CREATE` mean
 * `preCreate`.
 */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

/** Returns the Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
