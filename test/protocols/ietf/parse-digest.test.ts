import { describe, expect, test } from 'vitest'
import {
  digestNames,
  formatDigest,
  parseDigest,
  parseWantDigest,
  type DigestAlgorithm,
} from '../../../src/protocols/ietf/fields/parse-digest.js'
import { digestLengths } from '../../../src/checksum-algorithms.js'
import { createHasher } from '../../../src/uploads/digests/hasher.js'

const algorithms = Object.keys(digestNames) as DigestAlgorithm[]

const sha256 = createHasher('sha256').digest()
const md5 = createHasher('md5').digest()

describe('R-133 a digest field', () => {
  test.each(algorithms)('claims a %s', (algorithm) => {
    const digest = createHasher(algorithm).digest()
    const field = `${digestNames[algorithm]}=:${digest.toString('base64')}:`
    expect(formatDigest(algorithm, digest)).toBe(field)
    expect(parseDigest(field)).toEqual({
      expected: [{ algorithm, digest }],
      unknown: [],
      invalid: [],
    })
  })

  test('reads the examples of RFC 9530', () => {
    const sha512 =
      'YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg=='
    const field = `sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:,sha-512=:${sha512}:`
    expect(parseDigest(field)?.expected).toEqual([
      {
        algorithm: 'sha256',
        digest: Buffer.from('d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=', 'base64'),
      },
      { algorithm: 'sha512', digest: Buffer.from(sha512, 'base64') },
    ])
    expect(parseWantDigest('sha-512=3, sha-256=10, unixsum=0')).toBe('sha256')
    expect(parseWantDigest('sha-256=1')).toBe('sha256')
  })

  test('lists several digests, in their order, with the last one of an algorithm', () => {
    const other = Buffer.alloc(32, 1)
    const field = [
      formatDigest('sha256', other),
      formatDigest('md5', md5),
      formatDigest('sha256', sha256),
    ].join(', ')
    expect(parseDigest(field)).toEqual({
      expected: [
        { algorithm: 'sha256', digest: sha256 },
        { algorithm: 'md5', digest: md5 },
      ],
      unknown: [],
      invalid: [],
    })
  })

  test('ignores parameters', () => {
    const field = `${formatDigest('md5', md5)};a;b=1`
    expect(parseDigest(field)?.expected).toEqual([{ algorithm: 'md5', digest: md5 }])
  })

  test('reports the algorithms that it does not know, whatever their values are', () => {
    const field = `crc32c=:AAAAAA==:, ${formatDigest('md5', md5)}, unixsum=1, sha256=?0, crc32=(1)`
    expect(parseDigest(`${field}, constructor`)).toEqual({
      expected: [{ algorithm: 'md5', digest: md5 }],
      unknown: ['crc32c', 'unixsum', 'sha256', 'crc32', 'constructor'],
      invalid: [],
    })
  })

  test('may be empty', () => {
    expect(parseDigest('')).toEqual({ expected: [], unknown: [], invalid: [] })
  })

  test.each([
    ...[',', '1', 'SHA-256=:AA==:', 'sha-256=:AA', 'sha-256=:!:', 'sha-256='],
    ...[`sha-256=${sha256.toString('base64')}`, `${formatDigest('sha256', sha256)},`],
    ...[`:${sha256.toString('base64')}:`, `sha-256 :${sha256.toString('base64')}:`],
    `sha-256=:${sha256.toString('base64url')}:`,
  ])('is not %j', (field) => {
    expect(parseDigest(field)).toBeUndefined()
  })
})

describe('R-134 a value is invalid', () => {
  test.each(algorithms)('when a %s cannot be that long', (algorithm) => {
    const length = digestLengths[algorithm]
    for (const wrong of [0, length - 1, length + 1, 2 * length]) {
      expect(parseDigest(formatDigest(algorithm, Buffer.alloc(wrong)))).toEqual({
        expected: [],
        unknown: [],
        invalid: [digestNames[algorithm]],
      })
    }
  })

  test.each([
    ...['sha-256', 'sha-256=1', 'sha-256=?1', 'sha-256="AAAA"', 'sha-256=AAAA', 'sha-256=()'],
    `sha-256=(:${sha256.toString('base64')}:)`,
    `sha-256="${sha256.toString('base64')}"`,
  ])('when it is not bytes: %j', (field) => {
    expect(parseDigest(field)).toEqual({ expected: [], unknown: [], invalid: ['sha-256'] })
  })

  test('and the others still count', () => {
    expect(parseDigest(`sha-256=:AAAA:, ${formatDigest('md5', md5)}, sha=1`)).toEqual({
      expected: [{ algorithm: 'md5', digest: md5 }],
      unknown: [],
      invalid: ['sha-256', 'sha'],
    })
  })
})

describe('R-132 the digest that is wanted', () => {
  test.each([
    ['sha-256=1, sha-512=2, md5=1', 'sha512'],
    ['sha-256=5, sha-512=5', 'sha256'],
    ['sha-512=5, sha-256=5', 'sha512'],
    ['sha=10', 'sha1'],
    ['md5=1;a=2', 'md5'],
    ['sha-256=10, sha-256=0, md5=1', 'md5'],
    // Unknown algorithms, and invalid preferences.
    ['crc32c=10, sha-256=1', 'sha256'],
    ['sha-512=11, sha-256=1', 'sha256'],
    ['sha-512=-1, sha-256=1', 'sha256'],
    ['sha-512=9.5, md5, sha="9", sha-256=1', 'sha256'],
    ['sha-512=(9), sha-256=1', 'sha256'],
  ])('in %j is %s', (field, expected) => {
    expect(parseWantDigest(field)).toBe(expected)
  })

  test.each([
    ...['', 'sha-256=0', 'sha-256=0, sha-512=0', 'unixsum=10', 'crc32=10', 'sha256=10', 'sha-256'],
    ...['sha-256=11', 'sha-256=1,', 'sha-256;q=1,', 'SHA-256=1', '1', 'constructor=10'],
  ])('in %j is missing', (field) => {
    expect(parseWantDigest(field)).toBeUndefined()
  })
})
