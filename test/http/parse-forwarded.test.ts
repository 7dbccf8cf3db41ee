import { expect, test } from 'vitest'
import { parseForwarded } from '../../src/http/parse-forwarded.js'

test.each<[header: string, expected: Record<string, string>[]]>([
  ['', []],
  ['proto=https', [{ proto: 'https' }]],
  [
    'for=192.0.2.60;proto=http;by=203.0.113.43',
    [{ for: '192.0.2.60', proto: 'http', by: '203.0.113.43' }],
  ],
  ['for=a, for=b', [{ for: 'a' }, { for: 'b' }]],
  ['for=a,for=b;proto=https , for=c', [{ for: 'a' }, { for: 'b', proto: 'https' }, { for: 'c' }]],
  ['For="[2001:db8::1]:4711"', [{ for: '[2001:db8::1]:4711' }]],
  ['HOST=example.org;PROTO=HTTPS', [{ host: 'example.org', proto: 'HTTPS' }]],
  ['host="a,b;c=d"', [{ host: 'a,b;c=d' }]],
  ['host="a\\"b\\\\c"', [{ host: 'a"b\\c' }]],
  ['host=""', [{ host: '' }]],
  ['host=', [{ host: '' }]],
  ['host=example.org:8080', [{ host: 'example.org:8080' }]],
  ['host=[::1]:8080', [{ host: '[::1]:8080' }]],
  [' ; host=a ; ;, ,host=b;', [{ host: 'a' }, { host: 'b' }]],
  ['__proto__=x', [JSON.parse('{"__proto__":"x"}')]],
])('T-086 reads Forwarded: %s', (header, expected) => {
  expect(parseForwarded(header).map((element) => [...element])).toEqual(
    expected.map((element) => Object.entries(element)),
  )
})

test.each([
  ...[
    'proto',
    'proto = https',
    'proto=https host=a',
    '=https',
    'host="a',
    'host=a"b"',
    'host="a"b',
  ],
  ...['host=a;"', 'host=a, "b"', 'proto=https;host', 'host="\\', 'host=a\x00\n'],
])('T-086 ignores the malformed %j', (header) => {
  expect(parseForwarded(header)).toEqual([])
})

test('T-086 reads hostile headers in linear time', () => {
  for (const piece of [' ', '"', '\\', ';', ',', 'a', 'a=', 'a="', ' =', '\t;']) {
    expect(parseForwarded(`${piece.repeat(100_000)}!"`)).toEqual([])
  }
})
