import { isPlain, type OptionRule } from './check-options.js'
import { isHttpToken } from './http-token.js'

/** The characters of a header's value (RFC 9110, section 5.5). */
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/

/** The rule for headers that an application chose. */
export const beHeaders: OptionRule = {
  expectation: 'a plain object of headers that can be sent',
  accepts: (v) => isPlain(v) && Object.entries(v).every(isHeader),
}

function isHeader([name, value]: [string, unknown]): boolean {
  return isHttpToken(name) && typeof value === 'string' && valuePattern.test(value)
}

/** Returns the rule for a status that an application chose. */
export function beStatusUpTo(highest: number): OptionRule {
  return {
    expectation: `a status from 200 to ${highest}`,
    accepts: (v) => Number.isInteger(v) && (v as number) >= 200 && (v as number) <= highest,
  }
}
