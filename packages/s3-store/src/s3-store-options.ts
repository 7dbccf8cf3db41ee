import { checkOptions, must } from 'tuskit/store-kit'
import type { UnplacedUpload, Upload } from 'tuskit'
import type { Client, ObjectParameters } from './bucket/bucket.js'
import { profiles, type S3Profile, type S3Provider } from './providers.js'

/** The place of an object. */
export interface S3Place {
  /** @default the bucket of the store */
  readonly bucket?: string
  readonly key: string
}

/** Options of {@link S3Store}. */
export interface S3StoreOptions {
  /**
   * A client of `@aws-sdk/client-s3`, with its region, endpoint and credentials. Its retries and
   * time limits apply. The store never closes it.
   */
  readonly client: Client
  /** The bucket. It must exist. */
  readonly bucket: string
  /**
   * The service, or what differs from AWS in yours. It decides how large parts are.
   *
   * @default 'aws'
   */
  readonly provider?: S3Provider | Partial<S3Profile>
  /**
   * Returns the place of an upload's object: a key, or a bucket and a key, always the same for the
   * same upload. With keys of your own, the creation of an upload costs two more requests, which
   * see to it that no two uploads get the same key, and the service must have conditional writes.
   *
   * A key is refused with `ERR_INVALID_PLACE` if it is empty or longer than 900 bytes in UTF-8,
   * begins with a slash or with {@link S3StoreOptions.privatePrefix}, contains a control character,
   * or has a segment that is `.` or `..`.
   *
   * @default the id
   */
  readonly locate?: (upload: UnplacedUpload) => string | S3Place
  /**
   * The beginning of the keys of objects that belong to unfinished uploads. Lifecycle rules and
   * policies can select them by it.
   *
   * @default '.tuskit/'
   */
  readonly privatePrefix?: string
  /**
   * Parameters of `PutObject` and `CreateMultipartUpload` for the finished objects, such as `ACL`,
   * `StorageClass`, `Tagging`, `CacheControl` or `ServerSideEncryption`: for all uploads, or a
   * function that returns those of one. The type and the name of the file come from the metadata,
   * unless they are given here.
   *
   * @default none
   */
  readonly parameters?: ObjectParameters | ((upload: Upload) => ObjectParameters)
  /**
   * The size of a part in bytes. Larger uploads than fit into the parts that the service allows get
   * larger parts. An upload needs up to `parallel + 1` parts of memory.
   *
   * @default 8388608
   */
  readonly partSize?: number
  /**
   * How many parts of one upload are stored at the same time.
   *
   * @default 3
   */
  readonly parallel?: number
  /**
   * How many parts of all uploads of this store are stored at the same time. A part that waits for
   * its client does not count. Clients of the AWS SDK have 50 connections by default.
   *
   * @default 32
   */
  readonly maxParallel?: number
  /**
   * How many bytes of all uploads of this store are in memory, at least `partSize`. If more come,
   * clients wait, and the bytes of slow clients are stored before they fill a part, which costs a
   * request to store them and another one to read them back. Reading them back needs memory for one
   * more part for each of up to `maxParallel` requests.
   *
   * @default 33554432
   */
  readonly maxMemory?: number
  /**
   * Returns a URL from which clients download a finished object, such as one signed by
   * `@aws-sdk/s3-request-presigner`. They are redirected to it.
   *
   * @default downloads pass through the server
   */
  readonly redirect?: (bucket: string, key: string, upload: Upload) => string | Promise<string>
}

/** Node hashes no more bytes at once, and the client hashes each part. */
const mostBytesHashed = 2_147_483_647

/** The options with a profile in place of the provider, and with the sizes that apply. */
export type CheckedOptions = Omit<S3StoreOptions, 'provider'> & {
  readonly profile: S3Profile
  readonly partSize: number
  readonly maxMemory: number
}

/** Checks the options, and completes them. */
export function checkStoreOptions(options: S3StoreOptions): CheckedOptions {
  const names = Object.keys(profiles)
  const { provider = 'aws', ...checked } = checkOptions<S3StoreOptions>('S3Store', options, {
    client: { ...must.beObject, required: true },
    bucket: { ...must.beText, required: true },
    provider: {
      expectation: `one of '${names.join("', '")}', or an object`,
      accepts: (v) => (typeof v === 'string' ? names.includes(v) : typeof v === 'object' && !!v),
      choices: names,
    },
    locate: must.beFunction,
    privatePrefix: must.beText,
    parameters: {
      expectation: 'an object or a function',
      accepts: (v) => typeof v === 'function' || (typeof v === 'object' && v !== null),
    },
    partSize: must.beBytes,
    parallel: must.beCount,
    maxParallel: must.beCount,
    maxMemory: must.beBytes,
    redirect: must.beFunction,
  })
  const own =
    typeof provider === 'string'
      ? profiles[provider]
      : checkOptions<Partial<S3Profile>>({ name: 'S3Store', within: 'provider' }, provider, {
          minPartSize: must.beBytes,
          maxPartSize: must.beBytes,
          maxParts: must.beCount,
          maxSize: must.beBytes,
          equalParts: must.beBoolean,
          conditionalWrites: must.beBoolean,
        })
  const given = { ...profiles.aws, ...own }
  const profile = { ...given, maxPartSize: Math.min(given.maxPartSize, mostBytesHashed) }
  const { partSize = Math.max(8_388_608, profile.minPartSize) } = checked
  if (partSize < profile.minPartSize || partSize > profile.maxPartSize) {
    const range = `from ${profile.minPartSize} to ${profile.maxPartSize}`
    throw new TypeError(
      `S3Store: option 'partSize' must be a number of bytes ${range}, which is what the service accepts, not ${partSize}`,
    )
  }
  const { maxMemory = Math.max(33_554_432, partSize) } = checked
  if (maxMemory < partSize) {
    throw new TypeError(
      `S3Store: option 'maxMemory' must be a number of bytes of at least ${partSize}, the size of a part, not ${maxMemory}`,
    )
  }
  return { ...checked, profile, partSize, maxMemory }
}
