import type { Upload } from 'tuskit'
import { Bucket, type Conditions, type ObjectParameters } from './bucket/bucket.js'
import { Memory } from './data/memory.js'
import { SpareMemory } from './data/spare-memory.js'
import type { S3Profile } from './providers.js'
import type { CheckedOptions } from './s3-store-options.js'
import { Slots } from './slots.js'

/** Settings that the parts of a store share. */
export interface Settings {
  readonly profile: S3Profile
  /** The most bytes that an upload can have. */
  readonly maxSize: number
  /** The preferred size of a part in bytes. */
  readonly partSize: number
  /** How many parts of an upload are stored at the same time. */
  readonly parallel: number
  /** For requests with bytes: there is a limit for all uploads together. */
  readonly slots: Slots
  /** For bytes that are gathered, or on their way. */
  readonly memory: Memory
  readonly spare: SpareMemory
  /** The beginning of the keys of objects that belong to unfinished uploads. */
  readonly privatePrefix: string
  readonly bucketOf: (name: string) => Bucket
  readonly parametersOf: (upload: Upload) => ObjectParameters
}

/** Returns the settings for options. `conditions` returns how the service reads conditions. */
export function settingsFor(options: CheckedOptions, conditions: () => Conditions): Settings {
  const { client, profile, parameters = {}, partSize, parallel = 3, maxParallel = 32 } = options
  const { maxParts, maxPartSize, maxSize } = profile
  return {
    profile,
    maxSize: Math.min(maxSize, maxParts * maxPartSize),
    partSize,
    parallel,
    slots: new Slots(maxParallel),
    memory: new Memory(options.maxMemory),
    spare: new SpareMemory(partSize, Math.floor(options.maxMemory / partSize)),
    privatePrefix: options.privatePrefix ?? '.tuskit/',
    bucketOf: (name) => new Bucket(client, name, conditions()),
    parametersOf: (upload) => (typeof parameters === 'function' ? parameters(upload) : parameters),
  }
}
