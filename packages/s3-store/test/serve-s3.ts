import {
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3'
import { StoreComposer, type HandlerOptions } from 'tuskit'
import { S3InfoStore, S3Locker, S3Store, type S3StoreOptions } from '@tuskit/s3-store'
import { serve, type Site } from '../../../test/support/serve.js'

/** Options of {@link serveS3}. */
export interface SiteOptions {
  readonly client: S3Client
  readonly bucket: string
  readonly store?: Partial<S3StoreOptions>
  readonly handler?: Partial<HandlerOptions>
  /** Milliseconds. Default: 15,000. */
  readonly lease?: number
}

/** Starts a server whose data, records and locks are in a bucket. */
export function serveS3({ client, bucket, store, handler, lease }: SiteOptions): Promise<Site> {
  const place = { client, bucket }
  const composer = new StoreComposer().use(
    new S3Store({ ...place, ...store }),
    new S3InfoStore(place),
    new S3Locker({ ...place, ...(lease && { lease, pollInterval: lease / 10 }) }),
  )
  return serve({ composer, ...handler })
}

/** Returns the keys of all objects. */
export async function keysOf(client: S3Client, bucket: string): Promise<readonly string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  return Contents.map(({ Key }) => Key!)
}

/**
 * Returns the keys of all objects and multipart uploads, except those of locks and of notes about
 * uploads that are removed.
 */
export async function contentsOf(client: S3Client, bucket: string): Promise<readonly string[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  const all = await keysOf(client, bucket)
  const keys = all.filter((key) => !/^\.tuskit\/(locks|removed)\//.test(key))
  return [...keys, ...Uploads.map(({ Key }) => `multipart upload of ${Key}`)]
}
