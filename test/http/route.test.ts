import { describe, expect, test } from 'vitest'
import { normalizeBasePath, parsePrefix, route, uploadIdOf } from '../../src/http/route.js'

describe('the base path', () => {
  test.each([
    ['/files', '/files'],
    ['/files/', '/files'],
    ['/', ''],
    ['/api/v1/files/', '/api/v1/files'],
    ['/a%20b', '/a%20b'],
    ['/...', '/...'],
    ['/.well-known/x', '/.well-known/x'],
  ])('%j becomes %j', (given, expected) => {
    expect(normalizeBasePath(given)).toBe(expected)
  })

  test.each([
    ...['', 'files', './files', '/files?a', '/files#a', '//', '//host/files', '/files//', '/a//b'],
    ...['/./files', '/../files', '/files/..', '/files/.', '/a b', '/é', '/a\\b', '/a\n', '/<a>'],
    ...['http://host/files', undefined, null, 5, ['/files']],
  ])('%j is refused', (given) => {
    expect(() => normalizeBasePath(given as string)).toThrow(
      expect.toSatisfy((error) => error instanceof TypeError && error.message.includes('basePath')),
    )
  })

  test('is checked in linear time', () => {
    expect(parsePrefix(`${'/a'.repeat(50_000)}?`)).toBeUndefined()
  })
})

describe('T-080 creation', () => {
  test.each([
    ['/files', '/files'],
    ['/files/', '/files'],
    ['/files?a=/b', '/files'],
    ['/files/?a', '/files'],
    ['/files#a', '/files'],
    ['http://example.org/files', '/files'],
    ['HTTPS://user@example.org:8443/files/?x', '/files'],
    ['/a%20b', '/a%20b'],
    ['/', ''],
    ['/?a', ''],
    ['http://example.org/', ''],
  ])('%j under %j', (url, basePath) => {
    expect(route(url, basePath)).toEqual({ kind: 'creation' })
  })
})

describe('T-055 upload', () => {
  test.each([
    ['/files/abc', '/files', 'abc'],
    ['/files/abc?a=b', '/files', 'abc'],
    ['/files/abc?a=/b/c', '/files', 'abc'],
    ['/files/abc#d', '/files', 'abc'],
    ['/files/%41%62c', '/files', 'Abc'],
    ['/files/a.b_c~d-e', '/files', 'a.b_c~d-e'],
    ['/files/files', '/files', 'files'],
    ['/api/files/file', '/api/files', 'file'],
    ['/v1/1', '/v1', '1'],
    ['/abc', '', 'abc'],
    ['/files/a+b', '/files', 'a+b'],
    ['/files/a%2Bb', '/files', 'a+b'],
    ['http://example.org/files/abc', '/files', 'abc'],
    ['http://example.org/abc?x', '', 'abc'],
    ['http://[::1]:80/files/abc', '/files', 'abc'],
  ])('%j under %j', (url, basePath, id) => {
    expect(route(url, basePath)).toEqual({ kind: 'upload', id })
    expect(uploadIdOf(url, basePath)).toBe(id)
  })
})

describe('T-090 within the base path, but without a target', () => {
  test.each([
    ...['/files/a/b', '/files/abc/', '/files//', '/files//abc', '/files/%2e%2e%2fetc', '/files/..'],
    ...['/files/.', '/files/.hidden', '/files/../x', '/files/%2e%2e', '/files/a%2fb', '/files/%'],
    ...['/files/%zz', '/files/%c3', '/files/a%00', '/files/a%0d%0ab', '/files/a b', '/files/a\\b'],
    ...['/files/é', '/files/a;b', `/files/${'a'.repeat(201)}`, '/files/%2541'],
    ...['/files/*', '/files/http://host/files/abc'],
  ])('%j', (url) => {
    expect(route(url, '/files')).toEqual({ kind: 'unknown' })
    expect(uploadIdOf(url, '/files')).toBeUndefined()
  })

  test.each(['//', '//host', '//host/abc', '/a/b'])('%j under the root', (url) => {
    expect(route(url, '')).toEqual({ kind: 'unknown' })
  })
})

describe('T-027 outside', () => {
  test.each([
    ...['*', '', '/', '/filesystem', '/files.txt', '/file', '/Files', '/FILES/abc', '/%66iles/abc'],
    ...[
      '//files',
      '//files/abc',
      '//host/files/abc',
      '/x/files/abc',
      '/x/../files/abc',
      'files/abc',
    ],
    ...['/?/files/abc', '/#/files/abc', 'http://host?/files/abc', 'http://host', 'http://host/'],
    ...['ftp://host/files/abc', 'javascript:/files/abc', 'host:443', 'http:/files/abc', '\\files'],
    ...['http://host//files/abc', 'http://host\\@x', '/files\\abc', '/files%2fabc'],
  ])('%j', (url) => {
    expect(route(url, '/files')).toBeUndefined()
  })

  test.each(['*', '', 'abc', 'http://host', 'ftp://host/abc'])('%j under the root', (url) => {
    expect(route(url, '')?.kind).not.toBe('upload')
  })
})

describe('T-170 references of a concatenation', () => {
  test.each([
    ...['/files/a', 'https://host/files/a', 'HTTP://169.254.169.254:1/files/a?b#c', '/files/%61'],
    ...['//host/files/a', '/x/../files/./a', '/../files/a', 'files/a', './files/a', 'files/a?/b/c'],
  ])('%j names a, from /files', (reference) => {
    expect(uploadIdOf(reference, '/files')).toBe('a')
  })

  test.each([
    ...['/files/a', 'https://host/files/a', '//host/files/a', 'a', './a', 'a?b', 'a#b', '%61'],
    ...['../files/a', './../files/a', '../../files/a', 'x/../a', './././a'],
  ])('%j names a, from /files/', (reference) => {
    expect(uploadIdOf(reference, '/files/')).toBe('a')
  })

  test.each([
    ['a', '/', 'a'],
    ['a', '', 'a'],
    ['./a', '/api/v1/files/', 'a'],
    ['../files/a', '/api/files/', 'a'],
    ['files/a', '/api/files', 'a'],
    ['/api%20b/a', '/api%20b/', 'a'],
    ['a', '/api%20b/', 'a'],
  ])('%j from %j names %j', (reference, creationPath, id) => {
    expect(uploadIdOf(reference, creationPath)).toBe(id)
  })
})

describe('T-171 references to no upload', () => {
  test.each([
    ...['a', './a', '../files/../a', '/files', '/files/', '?a', '#a', '/', '//host', '//files/a'],
    ...['https://host/other/a', 'file:///files/a', 'ftp://host/files/a', 'javascript:/files/a'],
    ...[
      'urn:a',
      '/files\\a',
      '\\files\\a',
      '/files/a\tb',
      '/files/a\u00e9',
      '/Files/a',
      '/%66iles/a',
    ],
    ...['http://', 'http://[/files/a', 'http://host:99999/files/a', '/files%2fa', '/files//a', '*'],
    ...['', 'http://host\\@x', '/filesystem/a', '/files.a'],
  ])('%j from /files', (reference) => {
    expect(uploadIdOf(reference, '/files')).toBeUndefined()
  })

  test.each([
    '',
    '.',
    './',
    '..',
    '../a',
    '../../a',
    'a/b',
    'a/',
    './/a',
    '.a',
    '%2e%2e%2fa',
    'b:a',
  ])('%j from /files/', (reference) => {
    expect(uploadIdOf(reference, '/files/')).toBeUndefined()
  })
})
