/** The amount of work of each workload. */
export interface Sizes {
  /** Bytes of the large transfers: one PATCH, sequential chunks, a download. */
  readonly large: number
  /** Bytes of each sequential chunk. */
  readonly chunk: number
  /** Simultaneous uploads, and the bytes of each. */
  readonly parallel: readonly [count: number, bytes: number]
  /** Small uploads, the bytes of each, and their connections. */
  readonly small: readonly [count: number, bytes: number, connections: number]
  /** HEAD requests, the uploads they are for, and the connections. */
  readonly head: readonly [count: number, uploads: number, connections: number]
  /** Idle clients, and the small uploads before them. */
  readonly slow: readonly [clients: number, warmUp: number]
  /** Bytes sent with checksums, and those of each chunk. */
  readonly checksum: readonly [bytes: number, chunk: number]
  /** Parts of a concatenation, and the bytes of each. */
  readonly concat: readonly [parts: number, bytes: number]
  /** Stored uploads in the small directory and in the large one. */
  readonly growth: readonly [few: number, many: number]
  /**
   * Creations with few uploads, creations with many and HEADs of one batch, and the batches of one
   * round.
   */
  readonly growthBatch: readonly [few: number, many: number, heads: number, batches: number]
  /** Resumed uploads, the bytes of each, and the milliseconds after which a client gives up. */
  readonly resume: readonly [count: number, bytes: number, patience: number]
  /** Bytes of one upload to S3. */
  readonly s3Large: number
  /** Simultaneous uploads to S3, and the bytes of each. */
  readonly s3Many: readonly [count: number, bytes: number]
}

const KiB = 1024
const MiB = 1024 * KiB

export const fullSizes: Sizes = {
  large: 1024 * MiB,
  chunk: 5 * MiB,
  parallel: [16, 64 * MiB],
  small: [2_000, 4 * KiB, 8],
  head: [20_000, 100, 32],
  slow: [1_000, 200],
  checksum: [512 * MiB, 8 * MiB],
  concat: [8, 64 * MiB],
  growth: [1_000, 100_000],
  growthBatch: [25, 250, 1_250, 4],
  resume: [5, 8 * MiB, 5_000],
  s3Large: 512 * MiB,
  s3Many: [50, 24 * MiB],
}

/** Enough to see large differences. */
export const quickSizes: Sizes = {
  large: 64 * MiB,
  chunk: 5 * MiB,
  parallel: [16, 8 * MiB],
  small: [300, 4 * KiB, 8],
  head: [2_000, 100, 32],
  slow: [200, 100],
  checksum: [64 * MiB, 8 * MiB],
  concat: [8, 16 * MiB],
  growth: [1_000, 5_000],
  growthBatch: [25, 50, 200, 2],
  resume: [1, 8 * MiB, 5_000],
  s3Large: 64 * MiB,
  s3Many: [16, 24 * MiB],
}

/** Enough to see that everything works. */
export const tinySizes: Sizes = {
  large: 3 * MiB,
  chunk: MiB,
  parallel: [3, 512 * KiB],
  small: [20, 4 * KiB, 4],
  head: [40, 5, 4],
  slow: [10, 5],
  checksum: [2 * MiB, 512 * KiB],
  concat: [3, 256 * KiB],
  growth: [10, 30],
  growthBatch: [2, 4, 10, 2],
  resume: [1, MiB, 15_000],
  s3Large: 20 * MiB,
  s3Many: [3, 12 * MiB],
}

/** The size of the random bytes that every upload is a slice of. */
export function contentSize({ large, parallel, checksum, concat, s3Large }: Sizes): number {
  return Math.max(large, parallel[0] * parallel[1], checksum[0], concat[0] * concat[1], s3Large)
}

/** Formats a number for titles: `1,000`. */
export function counted(count: number): string {
  return count.toLocaleString('en')
}

/** Formats a size for titles: `64 MiB`. */
export function inWords(bytes: number): string {
  if (bytes >= 1024 * MiB) return `${bytes / 1024 / MiB} GiB`
  return bytes >= MiB ? `${bytes / MiB} MiB` : `${bytes / KiB} KiB`
}
