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
