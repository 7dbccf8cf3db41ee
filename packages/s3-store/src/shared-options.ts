import { must } from 'tuskit/store-kit'
import type { Client } from './bucket/bucket.js'

/** Options that records and locks share. */
export interface S3PartOptions {
  /** A client of `@aws-sdk/client-s3`. It is never closed here. */
  readonly client: Client
  /** The bucket. It must exist. It can be that of the data. */
  readonly bucket: string
}

export const sharedRules = {
  client: { ...must.beObject, required: true },
  bucket: { ...must.beText, required: true },
}
