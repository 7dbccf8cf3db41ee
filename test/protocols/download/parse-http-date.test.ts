import { expect, test } from 'vitest'
import { parseHttpDate } from '../../../src/protocols/download/parse-http-date.js'

const expected = Date.UTC(1994, 10, 6, 8, 49, 37)

test.each([
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
])('T-182 reads the date %s', (text) => {
  expect(parseHttpDate(text)).toBe(expected)
})

test('T-182 reads dates that toUTCString() writes', () => {
  const now = Math.floor(Date.now() / 1000) * 1000
  expect(parseHttpDate(new Date(now).toUTCString())).toBe(now)
})

test.each([
  ...['', '0', '1994', '784111777', 'yesterday', '1994-11-06T08:49:37Z', 'Sun, 06 Nov 1994'],
  ...[
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 +0100',
    'Sun, 6 Nov 1994 08:49:37 GMT',
  ],
  ...[
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 25:49:37 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
  ],
  'Sun, 06 Nov 1994 08:49:37 GMT; length=5',
])('T-182 reads no date in %j', (text) => {
  expect(parseHttpDate(text)).toBeUndefined()
})
