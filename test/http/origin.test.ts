import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import { publicOrigin } from '../../src/http/origin.js'
import { countTrusted, type TrustProxy } from '../../src/http/trust-proxy.js'

const peer = '192.0.2.1'

function origin(headers: IncomingHttpHeaders, trustProxy: TrustProxy = true, encrypted = false) {
  const source = { headers: { host: 'inner', ...headers }, encrypted, peer }
  return publicOrigin(source, countTrusted(trustProxy))?.origin
}

function prefix(value: string | string[], trustProxy: TrustProxy = true) {
  const headers = { host: 'inner', 'x-forwarded-prefix': value }
  return publicOrigin({ headers, encrypted: false, peer }, countTrusted(trustProxy))?.prefix
}

describe('T-086 without a proxy', () => {
  test.each([
    ['example.org', false, 'http://example.org'],
    ['example.org', true, 'https://example.org'],
    ['example.org:80', false, 'http://example.org'],
    ['example.org:443', true, 'https://example.org'],
    ['example.org:443', false, 'http://example.org:443'],
    ['example.org:8080', false, 'http://example.org:8080'],
    ['EXAMPLE.org', false, 'http://example.org'],
    ['127.0.0.1:1080', false, 'http://127.0.0.1:1080'],
    ['[::1]:1080', false, 'http://[::1]:1080'],
    ['[2001:DB8::1]', true, 'https://[2001:db8::1]'],
    ['my_service:8080', false, 'http://my_service:8080'],
  ])('Host: %s, encrypted: %s', (host, encrypted, expected) => {
    for (const trustProxy of [false, true, 0, 1]) {
      expect(origin({ host }, trustProxy, encrypted)).toBe(expected)
    }
  })

  test.each([
    ...['', ' ', 'a b', 'a/b', 'a@b', 'user:pass@host', 'a?b', 'a#b', 'a\\b', 'a:0', 'a:65536'],
    ...['a:', 'a:b', 'a:1:2', 'a:123456', ':80', '[::1', '::1', '[::g]', '[]', '[1.2.3.4]', '-a'],
    ...['é', 'a\r\nb', 'a\n', '<a>', '"a"', 'a,b', '%61', '.', 'a'.repeat(300)],
  ])('Host: %j is not usable', (host) => {
    expect(
      publicOrigin({ headers: { host }, encrypted: true, peer }, countTrusted(true)),
    ).toBeUndefined()
  })

  test('no Host', () => {
    expect(
      publicOrigin({ headers: {}, encrypted: true, peer }, countTrusted(false)),
    ).toBeUndefined()
  })

  test('HTTP/2 names the host in :authority', () => {
    const headers = { ':authority': 'example.org' }
    expect(publicOrigin({ headers, encrypted: true, peer }, countTrusted(false))?.origin).toBe(
      'https://example.org',
    )
  })

  test.each([false, 0])('trustProxy %s ignores every header of proxies', (trustProxy) => {
    const headers = {
      host: 'example.org',
      forwarded: 'host=evil;proto=https',
      'x-forwarded-host': 'evil',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '99',
      'x-forwarded-prefix': '/evil',
    }
    expect(publicOrigin({ headers, encrypted: false, peer }, countTrusted(trustProxy))).toEqual({
      origin: 'http://example.org',
      prefix: '',
    })
  })
})

describe('T-086 X-Forwarded-*', () => {
  test.each<[title: string, headers: IncomingHttpHeaders, expected: string]>([
    ['proto', { 'x-forwarded-proto': 'https' }, 'https://inner'],
    ['proto in capitals', { 'x-forwarded-proto': 'HTTPS' }, 'https://inner'],
    ['a chain of protos', { 'x-forwarded-proto': 'https,http' }, 'https://inner'],
    ['an unknown proto', { 'x-forwarded-proto': 'wss' }, 'http://inner'],
    ['a hostile proto', { 'x-forwarded-proto': 'javascript:alert(1)//' }, 'http://inner'],
    ['an empty proto', { 'x-forwarded-proto': '' }, 'http://inner'],
    ['host', { 'x-forwarded-host': 'example.org' }, 'http://example.org'],
    ['host with a port', { 'x-forwarded-host': 'example.org:81' }, 'http://example.org:81'],
    ['a chain of hosts', { 'x-forwarded-host': 'a.example, b.example' }, 'http://a.example'],
    ['repeated lines', { 'x-forwarded-host': ['a.example', 'b.example'] }, 'http://a.example'],
    ['a hostile host', { 'x-forwarded-host': 'evil.example/x?' }, 'http://inner'],
    ['port', { 'x-forwarded-port': '8443' }, 'http://inner:8443'],
    [
      'the default port',
      { 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' },
      'https://inner',
    ],
    ['a chain of ports', { 'x-forwarded-port': '8443, 80' }, 'http://inner:8443'],
    [
      'a port in addition to one in the host',
      { 'x-forwarded-host': 'a:81', 'x-forwarded-port': '82' },
      'http://a:81',
    ],
    ['a bad port', { 'x-forwarded-port': '99999' }, 'http://inner'],
    ['a hostile port', { 'x-forwarded-port': '80@evil' }, 'http://inner'],
  ])('%s', (_, headers, expected) => {
    expect(origin(headers)).toBe(expected)
  })

  test.each([
    ['/api', '/api'],
    ['/api/', '/api'],
    ['/', ''],
    ['/a/b', '/a/b'],
    ['/outer, /inner', '/outer/inner'],
    ['', ''],
    ['api', ''],
    ['//evil.example', ''],
    ['/a//b', ''],
    ['/a/../b', ''],
    ['/a?b', ''],
    ['/a\r\nb', ''],
    ['/é', ''],
    ['https://evil.example', ''],
    ['/\\evil.example', ''],
  ])('the prefix %j is %j', (value, expected) => {
    expect(prefix(value)).toBe(expected)
  })
})

describe('T-086 Forwarded', () => {
  test.each<[title: string, headers: IncomingHttpHeaders, expected: string]>([
    ['host and proto', { forwarded: 'for=a;host=example.org;proto=https' }, 'https://example.org'],
    ['quoted', { forwarded: 'Host="example.org:8080";Proto="HTTPS"' }, 'https://example.org:8080'],
    ['IPv6', { forwarded: 'host="[2001:db8::1]:8080"' }, 'http://[2001:db8::1]:8080'],
    ['a chain', { forwarded: 'host=a;proto=https, host=b;proto=http' }, 'https://a'],
    ['malformed', { forwarded: 'host=example.org;proto' }, 'http://inner'],
    ['a hostile host', { forwarded: 'host="evil.example/x";proto=https' }, 'https://inner'],
    ['a hostile proto', { forwarded: 'host=a;proto="https://evil"' }, 'http://a'],
    [
      'wins',
      { forwarded: 'host=a;proto=https', 'x-forwarded-host': 'b', 'x-forwarded-proto': 'http' },
      'https://a',
    ],
    [
      'is completed by the others',
      { forwarded: 'host=a', 'x-forwarded-host': 'b', 'x-forwarded-proto': 'https' },
      'https://a',
    ],
    ['has its port in the host', { forwarded: 'host=a', 'x-forwarded-port': '81' }, 'http://a'],
  ])('%s', (_, headers, expected) => {
    expect(origin(headers)).toBe(expected)
  })
})

describe('T-086 counted proxies', () => {
  const chain = {
    forwarded: 'host=spoofed;proto=https, host=outer;proto=https, host=near;proto=http',
  }
  const list = {
    'x-forwarded-host': 'spoofed, outer, near',
    'x-forwarded-proto': 'https, https, http',
    'x-forwarded-port': '1, 2, 3',
  }
  test.each<[TrustProxy, string, string]>([
    [1, 'http://near', 'http://near:3'],
    [2, 'https://outer', 'https://outer:2'],
    [3, 'https://spoofed', 'https://spoofed:1'],
    [9, 'https://spoofed', 'https://spoofed:1'],
    [true, 'https://spoofed', 'https://spoofed:1'],
    [0, 'http://inner', 'http://inner'],
  ])('trustProxy %s', (trustProxy, expected, expectedOfList) => {
    expect(origin(chain, trustProxy)).toBe(expected)
    expect(origin(list, trustProxy)).toBe(expectedOfList)
  })

  test.each<[TrustProxy, string]>([
    [1, '/c'],
    [2, '/b/c'],
    [true, '/a/b/c'],
    [0, ''],
  ])('trustProxy %s combines the prefixes of those proxies', (trustProxy, expected) => {
    expect(prefix('/a, /b, /c', trustProxy)).toBe(expected)
  })

  test.each<[TrustProxy, string, string, string]>([
    [['198.51.100.0/24'], 'http://inner', 'http://inner', ''],
    [[peer], 'http://near', 'http://near:3', '/c'],
    [[peer, '10.0.0.2'], 'https://outer', 'https://outer:2', '/b/c'],
    [[peer, '10.0.0.0/8'], 'https://spoofed', 'https://spoofed:1', '/a/b/c'],
  ])('trustProxy %j', (trustProxy, expected, expectedOfList, expectedPrefix) => {
    const reported = ['198.51.100.7', '10.0.0.1', '10.0.0.2']
    const elements = (chain.forwarded as string).split(',')
    const forwarded = elements.map((element, i) => `${element};for=${reported[i]}`).join()
    expect(origin({ ...chain, forwarded }, trustProxy)).toBe(expected)
    expect(origin({ ...list, 'x-forwarded-for': reported.join() }, trustProxy)).toBe(expectedOfList)
    const prefixes = { 'x-forwarded-prefix': '/a, /b, /c', 'x-forwarded-for': reported.join() }
    const source = { headers: { host: 'inner', ...prefixes }, encrypted: false, peer }
    expect(publicOrigin(source, countTrusted(trustProxy))?.prefix).toBe(expectedPrefix)
  })
})
