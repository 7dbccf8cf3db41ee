import { expect, test } from 'vitest'
import { parseRange, type RangeRequest } from '../../../src/protocols/download/parse-range.js'

test.each<[header: string | undefined, length: number, expected: RangeRequest]>([
  ['bytes=0-0', 10, { start: 0, end: 0 }],
  ['bytes=0-9', 10, { start: 0, end: 9 }],
  ['bytes=2-5', 10, { start: 2, end: 5 }],
  ['bytes=2-99', 10, { start: 2, end: 9 }],
  ['bytes=9-', 10, { start: 9, end: 9 }],
  ['bytes=0-', 10, { start: 0, end: 9 }],
  ['bytes=-3', 10, { start: 7, end: 9 }],
  ['bytes=-10', 10, { start: 0, end: 9 }],
  ['bytes=-99', 10, { start: 0, end: 9 }],
  ['Bytes=002-005', 10, { start: 2, end: 5 }],
  [`bytes=1-${'9'.repeat(400)}`, 10, { start: 1, end: 9 }],
  [`bytes=-${'9'.repeat(400)}`, 10, { start: 0, end: 9 }],
])('T-182 Range: %s of %i bytes is a part', (header, length, expected) => {
  expect(parseRange(header, length)).toEqual(expected)
})

test.each([
  ...['bytes=10-', 'bytes=10-20', 'bytes=99-99', 'bytes=-0', 'bytes=-000'],
  `bytes=${'9'.repeat(400)}-`,
])('T-182 Range: %s of 10 bytes is not satisfiable', (header) => {
  expect(parseRange(header, 10)).toBe('unsatisfiable')
})

test.each([
  ...[undefined, '', 'bytes', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=99-98', 'bytes=a-b'],
  ...['bytes=0-1,3-4', 'bytes=0-1, 3-4', 'bytes=0-1,', 'bytes=99-,0-1', 'bytes=--1', 'bytes=-1-2'],
  ...['bytes=0x1-2', 'bytes=1.0-2', 'bytes=+1-2', 'bytes=1e1-', 'bytes =0-1', 'bytes= 0-1'],
  ...['items=0-1', 'seconds=0-', 'xbytes=0-1', '0-1', 'bytes:0-1', 'bytes=0-1\n'],
])('T-182 Range: %s selects everything', (header) => {
  expect(parseRange(header, 10)).toBe('whole')
})

test.each(['bytes=0-', 'bytes=0-0', 'bytes=-5', 'bytes=5-', undefined])(
  'T-182 Range: %s of nothing is everything',
  (header) => {
    expect(parseRange(header, 0)).toBe('whole')
  },
)
