import { describe, expect, test } from 'vitest'
import {
  formatBytes,
  formatDictionary,
  maxInteger,
  parseBooleanItem,
  parseDictionary,
  parseIntegerItem,
  parseItem,
  type Member,
} from '../../../src/protocols/ietf/fields/structured-field.js'
import type { BareItem } from '../../../src/protocols/ietf/fields/take-bare-item.js'

const integer = (value: number): BareItem => ({ type: 'integer', value })
const bytes = (text: string): BareItem => ({ type: 'bytes', value: Buffer.from(text) })
const yes: BareItem = { type: 'boolean', value: true }

function entriesOf(value: string): [string, Member][] | undefined {
  const members = parseDictionary(value)
  return members && [...members]
}

describe('R-001 a field that is an Integer', () => {
  test.each([
    ...[['0', 0] as const, ['100', 100] as const, ['100;a', 100] as const, ['007', 7] as const],
    ['-0', 0],
    ['  5  ', 5],
    ['5;a=1;b="x;y";c', 5],
    ['5; a=?0;  *b_.-*=:AAAA:', 5],
    ['999999999999999', 999_999_999_999_999],
    ['000000000000001', 1],
  ] as const)('%j is %d', (value, expected) => {
    expect(parseIntegerItem(value)).toBe(expected)
  })

  test.each([
    ...['-1', '1.0', '"5"', '+5', '', ' ', 'a', '?1', '@5', ':NQ==:', '%"5"', '5a', '5 5', '1e3'],
    ...['0x10', '--5', '-', '5-', '5.', '5..0', '.5', '1_000', '٥', '５', '(5)', 'a=5', '5\0'],
    // At most 15 digits, even when the value would be small.
    ...['1000000000000000', '9007199254740991', '0000000000000001'],
    // Only spaces, and only around the value.
    ...['\t5', '5\t', '5\n', '\u00a05', '5 ;a', '5;\ta', '5;a =1', '5;a= 1'],
    // Parameters are dropped, unless they are invalid.
    ...['5;', '5;;a', '5;A', '5;1', '5;a=', '5;a=(1)', '5;a=x y', '5;a="', '5,', '5;a,'],
  ])('%j is absent', (value) => {
    expect(parseIntegerItem(value)).toBeUndefined()
  })

  test('R-002 of two lines that Node has joined is absent', () => {
    for (const value of ['0, 5', '5, 5', '0,5', '0;a, 5']) {
      expect(parseIntegerItem(value), value).toBeUndefined()
    }
  })

  test('may be missing', () => {
    expect(parseIntegerItem(undefined)).toBeUndefined()
  })
})

describe('R-001 a field that is a Boolean', () => {
  test.each([
    ['?1', true],
    ['?0', false],
    ['?1;x=2', true],
    [' ?0 ', false],
    ['?0;a;b=?1', false],
  ])('%j is %s', (value, expected) => {
    expect(parseBooleanItem(value)).toBe(expected)
  })

  test.each([
    ...['1', '0', 'true', 'false', '?2', '"?1"', '', '?', '?1?0', '?10', '? 1', '??1', '?true'],
    ...['?T', '\t?1', '?1\t', '?1;', '1?', ':?1:', '(?1)', 'a=?1', '?１'],
  ])('%j is absent', (value) => {
    expect(parseBooleanItem(value)).toBeUndefined()
  })

  test('R-002 of two lines that Node has joined is absent', () => {
    for (const value of ['?1, ?0', '?1, ?1', '?0,?0']) {
      expect(parseBooleanItem(value), value).toBeUndefined()
    }
  })

  test('may be missing', () => {
    expect(parseBooleanItem(undefined)).toBeUndefined()
  })
})

describe('RFC 9651 an Item', () => {
  test.each<[value: string, expected: BareItem]>([
    ['-999999999999999', integer(-999_999_999_999_999)],
    ['1.5', { type: 'decimal', value: 1.5 }],
    ['-0.125', { type: 'decimal', value: -0.125 }],
    ['-0.0', { type: 'decimal', value: 0 }],
    ['999999999999.999', { type: 'decimal', value: 999_999_999_999.999 }],
    ['""', { type: 'string', value: '' }],
    ['" a;b,c=(d) "', { type: 'string', value: ' a;b,c=(d) ' }],
    ['"\\"\\\\\\\\\\""', { type: 'string', value: '"\\\\"' }],
    ['a', { type: 'token', value: 'a' }],
    ['*', { type: 'token', value: '*' }],
    ["Az09!#$%&'*+-.^_`|~:/", { type: 'token', value: "Az09!#$%&'*+-.^_`|~:/" }],
    ['::', bytes('')],
    [':aGVsbG8=:', bytes('hello')],
    [':+/+/:', { type: 'bytes', value: Buffer.from([0xfb, 0xff, 0xbf]) }],
    ['@0', { type: 'date', value: 0 }],
    ['@-1659578233', { type: 'date', value: -1659578233 }],
    ['@999999999999999', { type: 'date', value: 999_999_999_999_999 }],
    ['%""', { type: 'display-string', value: '' }],
    ['%"100%25 %22r%c3%a9al%22 \\"', { type: 'display-string', value: '100% "réal" \\' }],
    ['%"%ef%bb%bfa%00"', { type: 'display-string', value: '\ufeffa\0' }],
  ])('%j', (value, expected) => {
    expect(parseItem(value)).toStrictEqual(expected)
    expect(parseItem(`  ${value};a=${value};b  `)).toStrictEqual(expected)
    expect(entriesOf(`a=(${value};x  ${value} );y,b=${value}`)).toStrictEqual([
      ['a', { type: 'inner-list', value: [expected, expected] }],
      ['b', expected],
    ])
  })

  test.each([
    ...['1.', '1.2345', '1.2.3', '1000000000000.0', '0000000000000.0', '1. 5', '-.5', '- 5'],
    ...['"', '"a', 'a"', '"a"b', '"\\a"', '"\\', '"\t"', '"\x7f"', '"é"', '"a" "b"', "'a'"],
    ...['/a', ':a', 'a b', 'a"b"', 'a{', 'é', '_a', '9a'],
    ...[':', ':aGVsbG8=', 'aGVsbG8=:', ':aGVs bG8=:', ':aGVsbG8-:', ':a_==:', ':aGVsbG8=!:'],
    ...[':a:', ':aGVsb:', ':aGVsbG8==:', ':aQ=:', ':a===:', ':=:', ':====:', ':aQ==aQ==:'],
    ...['@', '@a', '@1.5', '@1.', '@"1"', '@ 1', '@1000000000000000', '@@1'],
    ...['%', '%a', '%"', '%"a', '%"%"', '%"%4"', '%"%C3%A9"', '%"é"', '%"\t"', '%"%gg"'],
    // Invalid UTF-8: cut, without a start, too long a form, half of a surrogate pair, beyond the
    // last code point.
    ...['%"%c3"', '%"%a9"', '%"%c0%80"', '%"%ed%a0%80"', '%"%f4%90%80%80"', '%"%c3a"'],
    ...['(1)', '()', 'a=1', ',', ';a', '=', '{}', '[1]', '&', '\0'],
  ])('is not %j', (value) => {
    expect(parseItem(value)).toBeUndefined()
    expect(parseItem(`1;a=${value}`)).toBeUndefined()
  })

  test('section 4.2.7: bytes stay valid without padding, and with any bits in its place', () => {
    expect(parseItem(':aGVsbG8:')).toStrictEqual(bytes('hello'))
    expect(parseItem(':aGVsbA:')).toStrictEqual(bytes('hell'))
    expect(parseItem(':aR==:')).toStrictEqual(bytes('i'))
    expect(parseItem(':aGl=:')).toStrictEqual(bytes('hi'))
  })
})

describe('RFC 9651 a Dictionary', () => {
  test.each<[value: string, expected: [string, Member][]]>([
    [
      'max-size=1000, min-size=0',
      [
        ['max-size', integer(1000)],
        ['min-size', integer(0)],
      ],
    ],
    ['', []],
    ['   ', []],
    ['a', [['a', yes]]],
    ['a;x=1', [['a', yes]]],
    ['a=?1;x', [['a', yes]]],
    ['*a_b.c-9*=1', [['*a_b.c-9*', integer(1)]]],
    ['a=()', [['a', { type: 'inner-list', value: [] }]]],
    ['a=(  )', [['a', { type: 'inner-list', value: [] }]]],
    ['a=( 1 );x;y=2', [['a', { type: 'inner-list', value: [integer(1)] }]]],
    ['a=("b)" 1;x=2)', [['a', { type: 'inner-list', value: [text('b)'), integer(1)] }]]],
    [
      '  a=1 \t ,\t b;x,c=3 \t',
      [
        ['a', integer(1)],
        ['b', yes],
        ['c', integer(3)],
      ],
    ],
    [
      'a=1,b=2,a="last"',
      [
        ['a', text('last')],
        ['b', integer(2)],
      ],
    ],
    ['constructor', [['constructor', yes]]],
  ])('%j', (value, expected) => {
    expect(entriesOf(value)).toStrictEqual(expected)
  })

  test.each([
    ...['a=1,', 'a=1, ', ',a=1', 'a=1,,b=2', ',', 'a=1 b=2', 'a=1;b=2;', '\t', '\ta=1'],
    ...['A=1', '1=1', '-a=1', '_a=1', '.a', 'aB=1', 'é=1', '"a"=1', '=1', '__proto__=1'],
    ...['a =1', 'a= 1', 'a=', 'a=,b=1', 'a==1', 'a=1=2', 'a;', 'a; ;b', 'a;x=', 'a:1', '1', '"a"'],
    ...['a=(', 'a=(1', 'a=(1 ', 'a=(1,2)', 'a=(1\t2)', 'a=(1"b")', 'a=(1"b"', 'a=(1:YQ==:'],
    ...['a=((1))', 'a=(1))', 'a=)', 'a=(1) ;x', 'a=(1 ;x)', 'a=(1);', '(1)', 'a=(a=1)'],
    ...['a=1\n', 'a=1,\nb=2', 'a=1\r\n', 'a=1\0', 'a=1\u00a0', 'a=1;\tx'],
  ])('is not %j', (value) => {
    expect(parseDictionary(value)).toBeUndefined()
  })

  test('R-002 may be spread over lines, which Node joins', () => {
    expect(entriesOf(['a=1', 'b=2', 'a=3'].join(', '))).toStrictEqual([
      ['a', integer(3)],
      ['b', integer(2)],
    ])
  })
})

describe('R-005 writing', () => {
  test('puts a comma and a space between members', () => {
    const members = { 'max-size': 1000, 'min-size': 0, 'sha-256': Buffer.from('hello'), a: -1 }
    expect(formatDictionary(members)).toBe('max-size=1000, min-size=0, sha-256=:aGVsbG8=:, a=-1')
    expect(formatDictionary({})).toBe('')
    expect(formatBytes(Buffer.alloc(0))).toBe('::')
  })

  test('R-003 has plain decimals of at most 15 digits', () => {
    expect(maxInteger).toBe(10 ** 15 - 1)
    expect(formatDictionary({ a: maxInteger, b: -maxInteger, c: -0 })).toBe(
      'a=999999999999999, b=-999999999999999, c=0',
    )
    for (const value of [maxInteger + 1, -maxInteger - 1, 1.5, NaN, Infinity, 1e21]) {
      expect(() => formatDictionary({ a: value })).toThrow(RangeError)
    }
  })
})

test('long and hostile values are refused', () => {
  const pieces = [
    '"',
    '\\"',
    'a',
    '1',
    '(',
    '(1 ',
    'a=1,',
    ' ',
    '\t',
    ';a',
    '; ',
    ',',
    'AAAA',
    '%c3',
  ]
  for (const piece of pieces) {
    for (const start of ['', '"', ':', '%"', 'a=(', 'a="', 'a=:', '@', '1;a=']) {
      const value = `${start}${piece.repeat(300_000)}\x7f`
      expect(parseItem(value)).toBeUndefined()
      expect(parseDictionary(value)).toBeUndefined()
    }
  }
})

function text(value: string): BareItem {
  return { type: 'string', value }
}
