import { expect, test } from 'vitest'
import { isTusError } from 'tuskit'
import { parseConcat } from '../../../src/protocols/tus/parse-concat.js'

test('T-160 reads partial', () => {
  expect(parseConcat('partial')).toEqual({ kind: 'partial' })
})

test.each([
  ['final;/files/a', ['/files/a']],
  ['final;/files/a https://host/files/b', ['/files/a', 'https://host/files/b']],
  ['final;/files/a /files/a', ['/files/a', '/files/a']],
  ['final; /files/a', ['/files/a']],
  ['final;  /files/a   /files/b ', ['/files/a', '/files/b']],
  ['final;/files/a,b', ['/files/a,b']],
])('T-170 reads the URLs of %j', (header, urls) => {
  expect(parseConcat(header)).toEqual({ kind: 'final', urls })
})

test.each([
  ...['', ' ', 'final', 'final;', 'final; ', 'final;   ', 'Final;/files/a', 'FINAL;/files/a'],
  ...['final /files/a', 'final:/files/a', ' final;/files/a', 'finale;/files/a', '/files/a', ';'],
  ...['Partial', 'PARTIAL', 'partial;', 'partial ', 'partial, partial', 'partial;/files/a', 'true'],
])('T-173 rejects %j', (header) => {
  expect(() => parseConcat(header)).toThrow(
    expect.toSatisfy((error) => isTusError(error, 'ERR_INVALID_CONCAT')),
  )
})

test('T-177 reads hundreds of URLs', () => {
  const urls = Array.from({ length: 500 }, (_, n) => `/files/${n}`)
  expect(parseConcat(`final;${urls.join(' ')}`)).toEqual({ kind: 'final', urls })
})
