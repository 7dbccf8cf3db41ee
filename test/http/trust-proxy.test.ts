import { describe, expect, test } from 'vitest'
import { countTrusted, isTrustedEntry } from '../../src/http/trust-proxy.js'

const near = '10.0.0.1'
const far = '10.0.0.2'
const client = '198.51.100.7'

describe('a list trusts the proxies with these addresses', () => {
  const count = countTrusted(['10.0.0.0/8', 'fd00::/8', '2001:db8::1'])

  test.each([
    ['a client that connects itself', client, [], 0],
    ['a client that reports a proxy', client, [near], 0],
    ['a Unix domain socket', undefined, [near], 0],
    ['one proxy that reports nothing', near, [], 1],
    ['one proxy that reports its client', near, [client], 1],
    ['one proxy whose client reports a proxy', near, [far, client], 1],
    ['two proxies', near, [client, far], 2],
    ['two proxies whose client reports a proxy', near, [far, client, far], 2],
    ['two proxies, and nothing of a client', near, [far], 2],
    ['a proxy that hides its client', near, ['_hidden'], 1],
    ['a proxy that does not know its client', near, [far, 'unknown'], 1],
    ['a proxy that leaves the address out', near, [far, undefined], 1],
    ['a range of IPv6', 'fd12::1', [client], 1],
    ['a single address of IPv6', '2001:db8::1', [client], 1],
    ['another address of IPv6', '2001:db8::2', [client], 0],
    ['IPv4 in the form of IPv6', '::ffff:10.0.0.1', [client], 1],
    ['another IPv4 in the form of IPv6', `::ffff:${client}`, [client], 0],
  ] as const)('%s', (_, peer, reported, expected) => {
    expect(count(peer, reported)).toBe(expected)
  })

  test.each([
    `${far}:80`,
    '[fd12::1]',
    '[fd12::1]:80',
    'fd12::1',
    'fd12::1%eth0',
    '[fd12::1%2]:80',
  ])('%s is an address', (reported) => expect(count(near, [client, reported])).toBe(2))

  test.each(['', ' ', '10.0.0', '10.0.0.2/8', '10.0.0.2 x', '[10.0.0.2', 'fd12::1]', 'x%10.0.0.2'])(
    '%j is not an address',
    (reported) => expect(count(near, [far, reported])).toBe(1),
  )
})

test('unix: trusts what connects over a Unix domain socket, and nothing else', () => {
  const count = countTrusted(['unix:'])
  expect(count(undefined, [client])).toBe(1)
  expect(count('127.0.0.1', [client])).toBe(0)
})

test('an empty list trusts no proxy', () => {
  expect(countTrusted([])(near, [far])).toBe(0)
})

test('ranges can have any length, and bits beyond it do not count', () => {
  for (const entry of ['0.0.0.0/0', '10.9.9.9/8', '10.0.0.1/32', '10.0.0.1']) {
    expect(isTrustedEntry(entry)).toBe(true)
    expect(countTrusted([entry])(near, [])).toBe(1)
  }
  for (const entry of ['::/0', 'fd12:3456::/16', 'fd12::1/128']) {
    expect(isTrustedEntry(entry)).toBe(true)
    expect(countTrusted([entry])('fd12::1', [])).toBe(1)
  }
})

test.each([
  ...['', 'localhost', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0/8'],
  ...['::/129', 'fe80::1%eth0', '[::1]', '127.0.0.1:80', ' 10.0.0.1', 'unix', 10, null],
])('%j is not an entry of the list', (entry) => {
  expect(isTrustedEntry(entry)).toBe(false)
})
