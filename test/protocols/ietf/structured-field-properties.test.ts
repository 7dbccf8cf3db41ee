import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatBytes,
  maxInteger,
  parseDictionary,
  parseItem,
  type Member,
} from '../../../src/protocols/ietf/fields/structured-field.js'
import type { BareItem } from '../../../src/protocols/ietf/fields/take-bare-item.js'

/** Fixed, so that every run tests the same. fast-check prints it with a counterexample. */
const seed = 9651

const lowerCase = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/)
const ascii = fc.string({ unit: fc.constantFrom(...' !"#%\\a~'), maxLength: 9 })
/** A value, and its text. */
const bareItem: fc.Arbitrary<readonly [BareItem, string]> = fc.oneof(
  fc
    .integer({ min: -maxInteger, max: maxInteger })
    .map((value) => [{ type: 'integer', value }, `${value}`] as const),
  fc
    .tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.nat(9))
    .map(([whole, tenth]) => `${whole}.${tenth}`)
    .map((written) => [{ type: 'decimal', value: Number(written) + 0 }, written] as const),
  ascii.map(
    (value) => [{ type: 'string', value }, `"${value.replace(/["\\]/g, '\\$&')}"`] as const,
  ),
  fc
    .stringMatching(/^[A-Za-z*][\w!#$%&'*+.^`|~:/-]{0,8}$/)
    .map((value) => [{ type: 'token', value }, value] as const),
  fc
    .uint8Array({ maxLength: 9 })
    .map((array) => Buffer.from(array))
    .map((value) => [{ type: 'bytes', value }, formatBytes(value)] as const),
  fc.boolean().map((value) => [{ type: 'boolean', value }, value ? '?1' : '?0'] as const),
  fc.integer().map((value) => [{ type: 'date', value }, `@${value}`] as const),
  fc.string({ unit: 'grapheme', maxLength: 5 }).map((value) => {
    const written = [...Buffer.from(value)].map((byte) => `%${hex(byte)}`).join('')
    return [{ type: 'display-string', value }, `%"${written}"`] as const
  }),
)
const parameters = fc
  .array(fc.tuple(fc.constantFrom(';', ';  '), lowerCase, fc.option(bareItem)), { maxLength: 2 })
  .map((list) => list.map(([sign, key, value]) => sign + key + (value ? `=${value[1]}` : '')))
  .map((list) => list.join(''))
const item = fc
  .tuple(bareItem, parameters)
  .map(([[value, written], rest]) => [value, written + rest] as const)
const innerList = fc
  .tuple(fc.array(item, { maxLength: 3 }), parameters)
  .map(([items, rest]): readonly [Member, string] => [
    { type: 'inner-list', value: items.map(([value]) => value) },
    `( ${items.map(([, written]) => written).join('  ')})${rest}`,
  ])
const member: fc.Arbitrary<readonly [Member, string]> = fc.oneof(
  item.map(([value, written]) => [value, `=${written}`] as const),
  innerList.map(([value, written]) => [value, `=${written}`] as const),
  parameters.map((rest) => [{ type: 'boolean', value: true }, rest] as const),
)

test('an Item is read as it was written', () => {
  fc.assert(
    fc.property(item, ([value, written]) => {
      expect(parseItem(` ${written} `)).toStrictEqual(value)
    }),
    { seed, numRuns: 2_000 },
  )
})

test('a Dictionary is read as it was written', () => {
  const comma = fc.constantFrom(',', ', ', ' \t,\t ')
  fc.assert(
    fc.property(fc.array(fc.tuple(lowerCase, member)), comma, (members, sign) => {
      const written = members.map(([key, [, value]]) => key + value).join(sign)
      const expected = new Map(members.map(([key, [value]]) => [key, value]))
      expect(parseDictionary(written)).toStrictEqual(expected)
    }),
    { seed, numRuns: 1_000 },
  )
})

test('an Item is a member of a Dictionary, too, and a Dictionary can continue', () => {
  const near = fc.array(fc.constantFrom(...' \t,;=()":@?%\\*-.', '1', '0', 'a', 'c3', '%a9', 'é'))
  fc.assert(
    fc.property(
      near.map((letters) => letters.join('')),
      (value) => {
        const read = parseItem(value)
        if (read !== undefined) {
          expect(parseDictionary(`a=${value.trim()}`)?.get('a')).toStrictEqual(read)
        }
        const members = parseDictionary(value)
        if (members?.size) expect(parseDictionary(`${value},zz`)?.size).toBe(members.size + 1)
      },
    ),
    { seed, numRuns: 20_000 },
  )
})

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
