import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { ChecksumAlgorithm } from '../../checksum-algorithms.js'
import { crc32c } from './crc32c.js'

/** Computes one digest. */
export interface Hasher {
  /** Takes the next bytes. */
  update(data: Buffer): void
  /** Returns the digest of all bytes taken. Called once, at the end. */
  digest(): Buffer
}

/**
 * Creates a hasher of the given algorithm. The digest of `crc32` and `crc32c` is four bytes, the
 * most significant first.
 */
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
