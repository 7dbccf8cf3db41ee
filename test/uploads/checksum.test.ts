import { expect, test } from 'vitest'
import { checksumAlgorithms, digestLengths } from '../../src/checksum-algorithms.js'
import { createHasher } from '../../src/uploads/digests/hasher.js'

test('T-024 T-130 names sha1 first', () => {
  expect(checksumAlgorithms).toEqual(['sha1', 'md5', 'sha256', 'sha512', 'crc32', 'crc32c'])
})

test.each([
  ['sha1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ['md5', '25f9e794323b453885f5181f1b624d0b', 'd41d8cd98f00b204e9800998ecf8427e'],
  [
    'sha256',
    '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  ],
  ['crc32', 'cbf43926', '00000000'],
  ['crc32c', 'e3069283', '00000000'],
] as const)('T-130 computes %s over any division of the bytes', (algorithm, expected, empty) => {
  const hasher = createHasher(algorithm)
  for (const piece of ['1', '', '2345', '6789']) hasher.update(Buffer.from(piece))
  expect(hasher.digest().toString('hex')).toBe(expected)
  expect(createHasher(algorithm).digest().toString('hex')).toBe(empty)
})

test.each(checksumAlgorithms)('T-133 knows the length of a %s digest', (algorithm) => {
  expect(createHasher(algorithm).digest()).toHaveLength(digestLengths[algorithm])
})

test('T-130 writes a crc32 above 2^31 as four bytes', () => {
  const hasher = createHasher('crc32')
  hasher.update(Buffer.from('a'))
  expect(hasher.digest().toString('hex')).toBe('e8b7be43')
})

/** RFC 3720, appendix B.4, which writes the least significant byte first. */
test.each([
  ['32 bytes of zeros', Buffer.alloc(32), '8a9136aa'],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), '62a8ab43'],
  ['32 ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), '46dd794e'],
  ['32 descending bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), '113fdb5c'],
])('T-130 computes crc32c of %s, in any division', (_, bytes, expected) => {
  for (let at = 0; at <= bytes.length; at++) {
    const hasher = createHasher('crc32c')
    hasher.update(bytes.subarray(0, at))
    hasher.update(bytes.subarray(at))
    expect(hasher.digest().toString('hex')).toBe(expected)
  }
})
