import type { Upload } from 'tuskit'
import type { Bucket, ObjectParameters } from './bucket/bucket.js'
import type { Memory } from './data/memory.js'
import type { S3Profile } from './providers.js'
import type { Slots } from './slots.js'

/** Settings that the parts of a store share. */
export interface Settings {
  readonly profile: S3Profile
  /** The preferred size of a part in bytes. */
  readonly partSize: number
  /** How many parts of an upload are stored at the same time. */
  readonly parallel: number
  /** For requests with bytes: there is a limit for all uploads together. */
  readonly slots: Slots
  /** For bytes that are gathered, or on their way. */
  readonly memory: Memory
  readonly bucketOf: (name: string) => Bucket
  readonly parametersOf: (upload: Upload) => ObjectParameters
}
