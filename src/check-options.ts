import { inspect } from 'node:util'

/** What one option must be: a sentence for people and a predicate for the value. */
export interface OptionRule {
  /** Reads after "must be", for example `a positive integer`. */
  readonly expectation: string
  readonly accepts: (value: unknown) => boolean
  readonly required?: boolean
}

/** The rules that options share. */
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
  beBytes: {
    expectation: 'a whole number of bytes, more than 0',
    accepts: (v) => Number.isSafeInteger(v) && (v as number) > 0,
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
  beOneOf: (...values: readonly unknown[]) => ({
    expectation: `one of ${values.map((value) => inspect(value)).join(', ')}`,
    accepts: (v: unknown) => values.includes(v),
  }),
} satisfies Record<string, OptionRule | ((...values: never[]) => OptionRule)>

/**
 * Checks an options object against its rules and returns a frozen copy. Throws a `TypeError` that names the
 * option, what was expected and what was given; an unknown option is refused with the known name that it resembles, or
 * with all names when they are few.
 */
export function checkOptions<T extends object>(
  owner: string,
  options: T,
  rules: { readonly [Name in keyof Required<T>]: OptionRule },
): Readonly<T> {
  const known = Object.keys(rules)
  if (!mayHold(options, known)) {
    throw new TypeError(
      `${owner}: the options must be a plain object, not ${inspect(options, { depth: 0 })}`,
    )
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${owner}: there is no option ${inspect(name)}${hint(name, known)}`)
    }
  }
  const checked: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries<OptionRule>(rules)) {
    // Once: a getter may return something else the next time. What a class inherits counts, too.
    const value = (options as Record<string, unknown>)[name]
    if (value !== undefined) checked[name] = value
    if (value === undefined ? rule.required : !rule.accepts(value)) {
      throw new TypeError(
        `${owner}: option ${inspect(name)} must be ${rule.expectation}, not ${inspect(value, { depth: 0 })}`,
      )
    }
  }
  return Object.freeze(checked) as Readonly<T>
}

/**
 * Whether a value may be an options object. An `Error`, a web `Response` or a `Map` in its place holds none of the options,
 * and must not pass for one that leaves out all.
 */
function mayHold(options: unknown, known: readonly string[]): boolean {
  if (typeof options !== 'object' || options === null) return false
  return isPlain(options) || known.some((name) => name in options)
}

/** Whether a value is an object that holds what it shows: a `Map` or web `Headers` would look empty. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** What may help whoever wrote an unknown name. A name that resembles none is no slip of the pen. */
function hint(name: string, known: readonly string[]): string {
  const ranked = known.map((other) => ({ other, distance: editDistance(name, other) }))
  const [nearest] = ranked.sort((a, b) => a.distance - b.distance)
  if (nearest !== undefined && nearest.distance <= name.length / 3) {
    return `; did you mean ${inspect(nearest.other)}?`
  }
  return known.length > 8 ? '' : `, only ${known.map((other) => inspect(other)).join(', ')}`
}

/** Levenshtein distance, ignoring case. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [i, letter] of [...a.toLowerCase()].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b.toLowerCase()].entries()) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
