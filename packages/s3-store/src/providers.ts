/** The limits and abilities of a service that speaks the protocol of S3. */
export interface S3Profile {
  /** The smallest part of a multipart upload in bytes. Only its last part can be smaller. */
  readonly minPartSize: number
  /** The largest part in bytes. */
  readonly maxPartSize: number
  /** The number of parts that a multipart upload can have. Their numbers are not higher. */
  readonly maxParts: number
  /** The largest object in bytes. */
  readonly maxSize: number
  /** Whether all parts of a multipart upload except the last must have the same size. */
  readonly equalParts: boolean
  /**
   * Whether a `PutObject` with `If-None-Match` or `If-Match` is refused when the condition does not
   * hold. With `false`, several processes rely on the lease of their locks alone.
   */
  readonly conditionalWrites: boolean
}

const MiB = 1_048_576
const TiB = 1_048_576 * MiB

const aws: S3Profile = {
  minPartSize: 5 * MiB,
  maxPartSize: 5 * 1024 * MiB,
  maxParts: 10_000,
  maxSize: 5 * TiB,
  equalParts: false,
  conditionalWrites: true,
}

/** The services whose limits are known. */
export const profiles = {
  aws,
  b2: { ...aws, conditionalWrites: false },
  ceph: aws,
  minio: aws,
  r2: { ...aws, equalParts: true },
  scaleway: { ...aws, maxParts: 1_000, conditionalWrites: false },
} as const satisfies Record<string, S3Profile>

/** The name of a service whose limits are known. */
export type S3Provider = keyof typeof profiles
