import { expect, test } from 'vitest'
import { parseInteger } from '../../../src/protocols/tus/parse-integer.js'

test.each([
  ['0', 0],
  ['5', 5],
  ['1073741824', 1073741824],
  ['9007199254740991', 2 ** 53 - 1],
])('T-008 accepts %j', (value, expected) => {
  expect(parseInteger(value)).toBe(expected)
})

test.each([
  ...['', '-1', '+5', '1.0', '1.', '1e3', '0x10', '0b1', '5 5', ' 5 5', '5, 5', '5,5', 'NaN'],
  ...['Infinity', ' 5', '5 ', '5\t', '5\n', '1_000', '٥', '５', '1n', '-0', '--1', 'null'],
])('T-008 rejects %j', (value) => {
  expect(parseInteger(value)).toBeUndefined()
})

test.each([
  ['007', 7],
  ['00', 0],
  ['0000000000000000000000009', 9],
])('T-009 reads leading zeros: %j', (value, expected) => {
  expect(parseInteger(value)).toBe(expected)
})

test.each(['9007199254740992', '9007199254740993', '18446744073709551616', '9'.repeat(400)])(
  'T-009 does not round what a number cannot hold exactly: %j',
  (value) => {
    expect(parseInteger(value)).toBe(Infinity)
  },
)
