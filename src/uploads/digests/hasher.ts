import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c } from './crc32c.js'

/** The algorithms that verify a chunk, in the order in which they are advertised. */
export const checksumAlgorithms = ['sha1', 'md5', 'sha256', 'sha512', 'crc32', 'crc32c'] as const

/** The name of an algorithm that verifies a chunk. */
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number]

/** The size of each algorithm's digest in bytes. */
export const digestLengths: Readonly<Record<ChecksumAlgorithm, number>> = {
  sha1: 20,
  md5: 16,
  sha256: 32,
  sha512: 64,
  crc32: 4,
  crc32c: 4,
}

/** Computes one digest. */
export interface Hasher {
  /** Takes the next bytes. */
  update(data: Buffer): void
  /** The digest of all bytes taken. Called once, at the end. */
  digest(): Buffer
}

/** A hasher of the given algorithm. The digest of `crc32` and `crc32c` is four bytes, the most significant first. */
export function createHasher(algorithm: ChecksumAlgorithm): Hasher {
  if (algorithm === 'crc32') return createCrc(crc32)
  if (algorithm === 'crc32c') return createCrc(crc32c)
  const hash = createHash(algorithm)
  return {
    update(data) {
      hash.update(data)
    },
    digest: () => hash.digest(),
  }
}

function createCrc(append: (data: Buffer, sum: number) => number): Hasher {
  let sum = 0
  return {
    update(data) {
      sum = append(data, sum)
    },
    digest() {
      const digest = Buffer.alloc(4)
      digest.writeUInt32BE(sum)
      return digest
    },
  }
}
