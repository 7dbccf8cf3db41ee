import { expect, test } from 'vitest'
import { isTusError } from 'tuskit'
import { parseChecksum } from '../../../src/protocols/tus/parse-checksum.js'
import { checksumAlgorithms, digestLengths } from '../../../src/checksum-algorithms.js'
import { createHasher } from '../../../src/uploads/digests/hasher.js'

const sha1 = createHasher('sha1').digest().toString('base64')

test.each(checksumAlgorithms)('T-130 reads a %s checksum', (algorithm) => {
  const digest = createHasher(algorithm).digest()
  expect(parseChecksum(`${algorithm} ${digest.toString('base64')}`)).toEqual({ algorithm, digest })
})

test.each([
  ...['sha3', 'SHA1', 'Sha1', 'sha-1', 'sha', '__proto__', 'constructor', 'sha1;'].map(
    (name) => `${name} ${sha1}`,
  ),
  'unknown !!!',
])('T-132 does not support %j', (header) => {
  expect(() => parseChecksum(header)).toThrow(
    expect.toSatisfy((error) => isTusError(error, 'ERR_UNSUPPORTED_CHECKSUM')),
  )
})

test.each([
  ['the empty value', ''],
  ['a space', ' '],
  ['an algorithm alone', 'sha1'],
  ['an algorithm and a space', 'sha1 '],
  ['a digest alone', ` ${sha1}`],
  ['two spaces', `sha1  ${sha1}`],
  ['a tab', `sha1\t${sha1}`],
  ['three words', `sha1 ${sha1} x`],
  ['repeated lines', `sha1 ${sha1}, sha1 ${sha1}`],
  ['repeated lines, joined tightly', `sha1 ${sha1},sha1 ${sha1}`],
  ['no Base64', 'sha1 !!!!'],
  ['hexadecimal', 'sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ['missing padding', `sha1 ${sha1.slice(0, -1)}`],
  ['the URL-safe alphabet', `sha1 ${'-_'.repeat(13)}-=`],
  ['a digest too short', `sha1 ${Buffer.alloc(19).toString('base64')}`],
  ['a digest too long', `sha1 ${Buffer.alloc(21).toString('base64')}`],
  ['the digest of another algorithm', `md5 ${sha1}`],
  ['a line break at the end', `sha1 ${sha1}\n`],
])('T-133 rejects %s', (_, header) => {
  expect(() => parseChecksum(header)).toThrow(
    expect.toSatisfy((error) => isTusError(error, 'ERR_INVALID_CHECKSUM')),
  )
})

test.each(checksumAlgorithms)('T-133 rejects a %s digest of the wrong length', (algorithm) => {
  for (const length of [digestLengths[algorithm] - 1, digestLengths[algorithm] + 1]) {
    const header = `${algorithm} ${Buffer.alloc(length).toString('base64')}`
    expect(() => parseChecksum(header)).toThrow(
      expect.toSatisfy((error) => isTusError(error, 'ERR_INVALID_CHECKSUM')),
    )
  }
})
