import { describe, expect, test } from 'vitest'
import { isTusError, metadataOf } from 'tuskit'
import { beMetadata, formatMetadata, parseMetadata } from '../../src/metadata.js'

function entries(header: string | undefined): [string, string][] {
  return Object.entries(parseMetadata(header).values)
}

describe('T-091 accepts', () => {
  test.each<[title: string, header: string, expected: [string, string][]]>([
    [
      'a key without a value',
      'filename aGk=,is_confidential',
      [
        ['filename', 'hi'],
        ['is_confidential', ''],
      ],
    ],
    ['a key, a space and nothing', 'k ', [['k', '']]],
    [
      'a key, a space and nothing before another',
      'k ,b Yg==',
      [
        ['k', ''],
        ['b', 'b'],
      ],
    ],
    [
      'spaces after commas',
      'a YQ==, b Yg==,\t c Yw==',
      [
        ['a', 'a'],
        ['b', 'b'],
        ['c', 'c'],
      ],
    ],
    [
      'spaces before commas',
      'a YQ== ,b Yg== ',
      [
        ['a', 'a'],
        ['b', 'b'],
      ],
    ],
    ['a value without padding', 'a YWJj', [['a', 'abc']]],
    ['the whole alphabet', 'a +/+/', [['a', Buffer.from('+/+/', 'base64').toString()]]],
    ['UTF-8', 'name w6k=', [['name', 'é']]],
    ['keys of any printable ASCII', 'a=b;"c\\d/e YQ==', [['a=b;"c\\d/e', 'a']]],
    ['line breaks and NUL within values', 'a DQoA', [['a', '\r\n\0']]],
    ['a first key that looks like Base64', 'YQ==', [['YQ==', '']]],
    ['spaces between key and value', 'a  YQ==,b    ', Object.entries({ a: 'a', b: '' })],
    ['a comma at the end', 'a YQ==,', [['a', 'a']]],
    ['a comma at the end and a space', 'a , ', [['a', '']]],
  ])('%s', (_, header, expected) => {
    expect(entries(header)).toEqual(expected)
  })
})

describe('T-091 rejects', () => {
  test.each([
    ['a repeated key', 'a YQ==,a Yg=='],
    ['a key repeated in another line', 'a YQ==, a Yg=='],
    ['a repeated key without values', 'a,a'],
    ['a repeated key named like a property', '__proto__ YQ==,__proto__ Yg=='],
    ['an empty key', ' YQ=='],
    ['only a space', ' '],
    ['only a comma', ','],
    ['two commas at the end', 'a YQ==,,'],
    ['a comma at the beginning', ',a YQ=='],
    ['an empty pair between others', 'a YQ==,,b Yg=='],
    ['three words', 'a b c'],
    ['three words in Base64', 'a YQ== Yg=='],
    ['two tabs', 'a\t\tYQ=='],
    ['a tab between key and value', 'a\tYQ=='],
    ['no Base64', 'a !!!'],
    ['missing padding', 'a YQ'],
    ['half of the padding', 'a YQ='],
    ['too much padding', 'a YQ==='],
    ['only padding', 'a ===='],
    ['padding in the middle', 'a YQ==YQ=='],
    ['the URL-safe alphabet', 'a -_-_'],
    ['a letter too many', 'a YWJjZ'],
    ['a line break in Base64', 'a YQ\n=='],
    ['a key outside ASCII', 'ké YQ=='],
    ['a control character in a key', 'a\x01b YQ=='],
    ['DEL in a key', 'a\x7fb YQ=='],
  ])('%s', (_, header) => {
    expect(() => parseMetadata(header)).toThrow(
      expect.toSatisfy((error) => isTusError(error, 'ERR_INVALID_METADATA')),
    )
  })
})

describe('T-091 errors name the wrong pair', () => {
  test.each([
    ['a YQ==,b !!!', 'Pair 2 of Upload-Metadata ("b") has a value that is not standard Base64'],
    ['a.b-C_1 YQ', 'Pair 1 of Upload-Metadata ("a.b-C_1") has a value that is not standard Base64'],
    ['a YQ==,b,a', 'Pair 3 of Upload-Metadata ("a") has the same key as an earlier pair'],
    ['a YQ== Yg==', 'Pair 1 of Upload-Metadata ("a") has more than a key and a value'],
    ['a,,b', 'Pair 2 of Upload-Metadata is empty'],
    [',', 'Pair 1 of Upload-Metadata is empty'],
    [' YQ==', 'Pair 1 of Upload-Metadata has no key'],
    [
      '\u00e9 YQ==',
      'Pair 1 of Upload-Metadata has a key with characters other than printable ASCII',
    ],
    ['<script> !!!', 'Pair 1 of Upload-Metadata has a value that is not standard Base64'],
    [`${'k'.repeat(65)} !`, 'Pair 1 of Upload-Metadata has a value that is not standard Base64'],
  ])('%j', (header, sentence) => {
    expect(() => parseMetadata(header)).toThrow(sentence)
  })
})

test.each([undefined, ''])('T-091 takes %j as no metadata', (header) => {
  const metadata = parseMetadata(header)
  expect(metadata.raw).toBe('')
  expect(Object.keys(metadata.values)).toEqual([])
  expect(Object.isFrozen(metadata.values)).toBe(true)
})

test('T-091 takes __proto__, constructor and toString as keys like any other', () => {
  const { values } = parseMetadata('__proto__ YQ==,constructor Yg==,toString Yw==')
  expect(Object.getPrototypeOf(values)).toBeNull()
  expect(Object.entries(values)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['toString', 'c'],
  ])
  expect(Object.hasOwn(Object.prototype, 'a')).toBe(false)
})

test.each(['a YQ==, b ,c', 'k ', 'bin /////w==', 'b Yg==,a YQ=='])(
  'T-092 keeps %j verbatim',
  (header) => {
    expect(parseMetadata(header).raw).toBe(header)
  },
)

test('T-093 reads a header of 16 KiB', () => {
  const value = 'A'.repeat(16_000)
  expect(parseMetadata(`a ${value}`).values['a']).toHaveLength(12_000)
})

test('T-094 distinguishes filename from fileName', () => {
  expect(entries('filename YQ==,fileName Yg==')).toEqual([
    ['filename', 'a'],
    ['fileName', 'b'],
  ])
})

test.each<Record<string, string>[]>([
  [{}],
  [{ filename: 'résumé.pdf', empty: '', constructor: 'x' }],
  [{ a: '\r\n\0', b: ' ' }],
])('T-092 reads back what it writes: %j', (values) => {
  expect({ ...parseMetadata(formatMetadata(values)).values }).toEqual(values)
})

test('T-092 writes a key without a value when the value is empty', () => {
  expect(formatMetadata({ a: '', b: 'b' })).toBe('a,b Yg==')
})

test.each(['', 'a b', 'a,b', 'é', 'a\nb'])('T-091 takes no key %j from a hook', (key) => {
  expect([beMetadata.accepts({ key: 'x' }), beMetadata.accepts({ [key]: 'x' })]).toEqual([
    true,
    false,
  ])
})

test('metadataOf returns the metadata with these values', () => {
  const values = JSON.parse('{"a":"","__proto__":"é"}') as Record<string, string>
  const metadata = metadataOf(values)
  expect(metadata).toEqual(parseMetadata(metadata.raw))
  expect(Object.entries(metadata.values)).toEqual(Object.entries(values))
})

test.each(['', 'a b', 'a,b', 'é', 'a\nb'])('metadataOf refuses the key %j', (key) => {
  const refused = expect.objectContaining({ code: 'ERR_INVALID_METADATA' }) as Error
  expect(() => metadataOf({ key: 'x', [key]: 'x' })).toThrow(refused)
})
